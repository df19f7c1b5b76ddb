"""Identity providers with boto3: OpenID Connect and SAML, as an administrator sets them up."""

import json
import re
import subprocess

import boto3
import pytest
from botocore.config import Config

from identity_provider import PlayedIssuer
from serving import Moho, binary
from sts import refused

METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
    entityID="https://idp.example.org" validUntil="2031-01-02T03:04:05Z">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
      {certificate}
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.org/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
""".format(certificate="MAAw" * 200)
URL = "https://idp.example.org/realms/one"
THUMBPRINT = "0123456789abcdef0123456789abcdef01234567"


def trusting(*issuers: PlayedIssuer) -> tuple[str, ...]:
    """Settings that name these issuers."""
    named = tuple(part for issuer in issuers for part in ("--federation-issuer", issuer.issuer))
    return (*named, "--federation-ca", str(issuers[0].certificate.authority))


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    played = PlayedIssuer(tmp_path_factory.mktemp("issuer"))
    yield played
    played.end()


@pytest.fixture(scope="module")
def iam(tmp_path_factory, issuer):
    """The administrator of a server whose door is closed: from then on any provider may be set."""
    server = Moho(tmp_path_factory.mktemp("providers") / "data", models={}, arguments=trusting(issuer))
    try:
        server.start()
        admin = server.boto3("iam", "Admin")
        server.credentials("Developer")
        first = admin.create_open_id_connect_provider(Url=issuer.issuer)["OpenIDConnectProviderArn"]
        admin.delete_open_id_connect_provider(OpenIDConnectProviderArn=first)
        admin.account = server.boto3("sts", "Admin").get_caller_identity()["Account"]
        admin.developer = server.boto3("iam", "Developer")
        yield admin
        server.assert_unharmed()
    finally:
        server.end()


def test_while_the_door_is_open_a_provider_has_to_lead_somebody_in(make_moho, issuer, tmp_path):
    """A typing error must not close the only way in for good."""
    away = PlayedIssuer(tmp_path)
    away.end()
    server = make_moho(models={}, arguments=(*trusting(issuer, away), "--log-format", "json")).start()
    iam = server.boto3("iam", "Admin")
    create = iam.create_open_id_connect_provider

    def nothing_was_made():
        assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
        assert server.run_credentials("Developer").returncode == 0

    for url in (URL, issuer.issuer + "/", issuer.issuer + "/x"):
        code, message, status = refused(create, Url=url)
        assert (code, status) == ("OpenIdIdpCommunicationError", 400)
        assert message.startswith("Nothing was made") and url in message
        assert "`federation.issuers` does not name it" in message and "restart" in message
        nothing_was_made()
    code, message, status = refused(create, Url=away.issuer)
    assert (code, status) == ("OpenIdIdpCommunicationError", 400)
    assert "it cannot be connected to" in message and "ask again" in message
    nothing_was_made()

    # Who may not set a provider makes the server ask nobody.
    asked = len(issuer.asked)
    assert refused(server.boto3("iam").create_open_id_connect_provider, Url=issuer.issuer).code == "AccessDenied"
    assert len(issuer.asked) == asked
    arn = create(Url=issuer.issuer)["OpenIDConnectProviderArn"]
    assert server.run_credentials("Developer").returncode != 0
    # As the door is closed now, there is nothing to be lost.
    create(Url=URL)

    assert server.stop() == 0
    assert "NO WAY IN" not in server.log_text()
    server.start()
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert server.stop() == 0
    assert "NO WAY IN" not in server.log_text()
    server.start()
    [told] = re.findall(r"NO WAY IN[^\"]*", server.log_text())
    assert URL in told and "in `federation.issuers` and restart" in told
    command = [str(binary()), "doctor", "--json", "--data", str(server.data), *trusting(issuer)]
    looked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = [each for each in json.loads(looked.stdout)["findings"] if "NO WAY IN" in each["what"]]
    assert [(each["check"], each["level"]) for each in found] == [("providers", "warning")]
    assert "federation.issuers" in found[0]["cure"]

    # The way back of whoever may start moho, once no session lives.
    assert server.stop() == 0
    account = arn.split(":")[4]
    server.arguments = (*server.arguments, "--dev-static-credentials", f"rescue:of-this-machine:{account}")
    server.start()
    rescue = boto3.client(
        "iam",
        endpoint_url=server.url,
        verify=str(server.authority),
        region_name="us-east-1",
        aws_access_key_id="rescue",
        aws_secret_access_key="of-this-machine",
        config=Config(proxies={}),
    )
    assert rescue.create_open_id_connect_provider(Url=issuer.issuer)["OpenIDConnectProviderArn"] == arn


def test_an_openid_connect_provider(iam):
    arn = f"arn:aws:iam::{iam.account}:oidc-provider/idp.example.org/realms/one"
    made = iam.create_open_id_connect_provider(
        Url=URL, ClientIDList=["one", "two"], ThumbprintList=[THUMBPRINT.upper()], Tags=[{"Key": "a", "Value": "1"}]
    )
    assert made["OpenIDConnectProviderArn"] == arn and made["Tags"] == [{"Key": "a", "Value": "1"}]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["Url"] == URL.removeprefix("https://")
    assert found["ClientIDList"] == ["one", "two"] and found["ThumbprintList"] == [THUMBPRINT]
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    assert refused(iam.create_open_id_connect_provider, Url=URL).code == "EntityAlreadyExists"

    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="three")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="three")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="one")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="never")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["two", "three"]
    for number in range(98):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=f"client-{number}")
    one_more = refused(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn, ClientID="one-more")
    assert one_more.code == "LimitExceeded"

    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["a"])
    assert iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    thumbprints = iam.update_open_id_connect_provider_thumbprint
    thumbprints(OpenIDConnectProviderArn=arn, ThumbprintList=[THUMBPRINT[::-1]])
    assert refused(thumbprints, OpenIDConnectProviderArn=arn, ThumbprintList=["z" * 40]).code == "InvalidInput"
    six = [f"{number:040x}" for number in range(6)]
    assert refused(thumbprints, OpenIDConnectProviderArn=arn, ThumbprintList=six).code == "InvalidInput"

    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    code, message, _ = refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
    assert (code, message) == ("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example.org",
        "https://user@idp.example.org",
        "https://idp.example.org?x=1",
        "https://idp.example.org#x",
        "https://idp.example.org:99999",
        "https://idp.example.org/../x",
        "https://idp.example.org/*",
        "https://\u0456dp.example.org",
    ],
)
def test_an_issuer_has_a_plain_address(iam, url):
    assert refused(iam.create_open_id_connect_provider, Url=url).code == "ValidationError"


def test_a_saml_provider(iam):
    arn = f"arn:aws:iam::{iam.account}:saml-provider/corporate"
    made = iam.create_saml_provider(Name="corporate", SAMLMetadataDocument=METADATA, Tags=[{"Key": "a", "Value": "1"}])
    assert made["SAMLProviderArn"] == arn
    found = iam.get_saml_provider(SAMLProviderArn=arn)
    assert found["SAMLMetadataDocument"] == METADATA and found["ValidUntil"].year == 2031
    [listed] = iam.list_saml_providers()["SAMLProviderList"]
    assert (listed["Arn"], listed["ValidUntil"]) == (arn, found["ValidUntil"])
    assert refused(iam.create_saml_provider, Name="corporate", SAMLMetadataDocument=METADATA).code == "EntityAlreadyExists"
    other = METADATA.replace(' validUntil="2031-01-02T03:04:05Z"', "")
    assert iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=other)["SAMLProviderArn"] == arn
    assert "ValidUntil" not in iam.get_saml_provider(SAMLProviderArn=arn)
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_saml_provider(SAMLProviderArn=arn, TagKeys=["a"])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    iam.delete_saml_provider(SAMLProviderArn=arn)
    assert refused(iam.get_saml_provider, SAMLProviderArn=arn).code == "NoSuchEntity"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<md:EntityDescriptor", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><md:EntityDescriptor'),
        ("https://idp.example.org/sso", "&a;"),
        ("SAML:2.0:protocol", "SAML:1.1:protocol"),
        ("SAML:2.0:metadata", "SAML:1.0:metadata"),
        ("MAAw", "<!-- -->"),
        ("</md:EntityDescriptor>", ""),
        ('entityID="https://idp.example.org"', ""),
    ],
)
def test_what_is_no_metadata_is_refused(iam, old, new):
    assert old in METADATA
    code, message, _ = refused(iam.create_saml_provider, Name="broken", SAMLMetadataDocument=METADATA.replace(old, new, 1))
    assert code == "InvalidInput" and message.startswith("Could not parse metadata")
    assert "passwd" not in message


def test_private_keys_are_refused_by_name(iam):
    code, message, _ = refused(
        iam.create_saml_provider, Name="encrypted", SAMLMetadataDocument=METADATA, AssertionEncryptionMode="Required"
    )
    assert code == "ValidationError" and "AssertionEncryptionMode" in message


def test_another_accounts_provider_looks_like_none(iam):
    """Whoever may not read a provider learns nothing of whether it is there."""
    own = f"arn:aws:iam::{iam.account}:oidc-provider/unseen.example.org"
    iam.create_open_id_connect_provider(Url="https://unseen.example.org")
    absent = own.replace("unseen", "absent")
    seen = refused(iam.developer.get_open_id_connect_provider, OpenIDConnectProviderArn=own)
    unseen = refused(iam.developer.get_open_id_connect_provider, OpenIDConnectProviderArn=absent)
    assert seen.code == "AccessDenied" and seen._replace(message=seen.message.replace("unseen", "absent")) == unseen
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=own)
