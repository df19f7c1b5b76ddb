-- An installation of version 1, as moho made it before customer-managed keys: one account, its key, one stored response.
INSERT INTO organisation VALUES (1, 'o-188ef418b4ecba49', 1795312800000000);
INSERT INTO account VALUES ('542065751813', 'moho-local-1', 1795312800000000);
INSERT INTO kms_key VALUES ('e5b65a92-f05d-40f5-9ff6-f2bfbb902a7e', '542065751813', 'moho-local-1', 'Enabled', '{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::542065751813:root"},"Action":"kms:*","Resource":"*"}]}', 1795312800000000, x'01157c6db2900a386bcd40a898f515ae37e6d20b1e1a6927689c4a224d49d55a7d5f80006e465eab418d416e245b2ee50c171b051acc00d2880b1a2b5e6c16ae2d37096b7e27d2786418873ed4');
INSERT INTO account_key VALUES ('542065751813', 'e5b65a92-f05d-40f5-9ff6-f2bfbb902a7e');
INSERT INTO sealed_response VALUES ('542065751813', 'resp_3c9e419c481cbf65668b9d6163e492ca7cedcccd54bcf842', 'e5b65a92-f05d-40f5-9ff6-f2bfbb902a7e', 1795312800000000, 25, x'4d4f484f5345414c0114e5b65a92f05d40f59ff6f2bfbb902a7e780a9e4cfdaa3580cb81c530cb218eece458dc1ee683b393edd079814306acc3acf3ee1ca6767aaf4aa531cd440482889b572ece49888be913cd6e98c2410d229a6e2eb2198818b35fea0a8c231163a9bc78f28180ed498641801a7a35c979c3a28d6fd03b819f1245bebfb874c7cb875efa329e53545782b072fa544ba40d84b9229d2e23ee1a7a4c84d140d2bc2ce4f50271d44862201d2b');
INSERT INTO role VALUES ('542065751813', 'Admin', '{"Version":"2012-10-17","Statement":[{"Sid":"OwnAccount","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::542065751813:root"},"Action":"sts:AssumeRole"}]}', 1795312800000000);
INSERT INTO role_policy VALUES ('542065751813', 'Admin', 'AdministratorAccess', '{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*" }
  ]
}
');
INSERT INTO role VALUES ('542065751813', 'Developer', '{"Version":"2012-10-17","Statement":[{"Sid":"OwnAccount","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::542065751813:root"},"Action":"sts:AssumeRole"}]}', 1795312800000000);
INSERT INTO role_policy VALUES ('542065751813', 'Developer', 'DeveloperAccess', '{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "AskModels",
      "Effect": "Allow",
      "Action": [
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:CountTokens",
        "bedrock-mantle:CreateInference"
      ],
      "Resource": "*"
    },
    {
      "Sid": "SeeModels",
      "Effect": "Allow",
      "Action": [
        "bedrock:ListFoundationModels",
        "bedrock:GetFoundationModel",
        "bedrock:GetFoundationModelAvailability",
        "bedrock:ListInferenceProfiles",
        "bedrock:GetInferenceProfile",
        "bedrock-mantle:ListModels",
        "bedrock-mantle:GetModel"
      ],
      "Resource": "*"
    },
    {
      "Sid": "KeepResponses",
      "Effect": "Allow",
      "Action": ["bedrock-mantle:GetInference", "bedrock-mantle:DeleteInference"],
      "Resource": "*"
    },
    {
      "Sid": "UseBearerKeys",
      "Effect": "Allow",
      "Action": ["bedrock:CallWithBearerToken", "bedrock-mantle:CallWithBearerToken"],
      "Resource": "*"
    },
    {
      "Sid": "UseKeys",
      "Effect": "Allow",
      "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
      "Resource": "arn:aws:kms:*:*:key/*"
    }
  ]
}
');
