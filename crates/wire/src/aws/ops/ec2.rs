//! Private endpoints, as EC2 calls them.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Timestamp;

use crate::aws::declare::{both, operations, request, shape};

shape! { #[derive(Debug, Clone, PartialEq)] DnsEntry {
    dns_name: Option<String> = "DnsName",
    hosted_zone_id: Option<String> = "HostedZoneId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DnsOptions {
    dns_record_ip_type: Option<String> = "DnsRecordIpType",
    private_dns_only_for_inbound_resolver_endpoint: Option<bool> = "PrivateDnsOnlyForInboundResolverEndpoint",
    private_dns_preference: Option<String> = "PrivateDnsPreference",
    private_dns_specified_domains: Option<Vec<String>> = "PrivateDnsSpecifiedDomains",
} }
both! { #[derive(Debug, Clone, PartialEq)] DnsOptionsSpecification {
    dns_record_ip_type: Option<String> = "DnsRecordIpType",
    private_dns_only_for_inbound_resolver_endpoint: Option<bool> = "PrivateDnsOnlyForInboundResolverEndpoint",
    private_dns_preference: Option<String> = "PrivateDnsPreference",
    private_dns_specified_domains: Option<Vec<String>> = "PrivateDnsSpecifiedDomains",
} }
both! { #[derive(Debug, Clone, PartialEq)] Filter {
    name: Option<String> = "Name",
    values: Option<Vec<String>> = "Values",
} }
shape! { #[derive(Debug, Clone, PartialEq)] LastError {
    message: Option<String> = "Message",
    code: Option<String> = "Code",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PayerResponsibilityEntry {
    scope: Option<String> = "Scope",
    payer_responsibility_type: Option<String> = "PayerResponsibilityType",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PrivateDnsDetails {
    private_dns_name: Option<String> = "PrivateDnsName",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SecurityGroupIdentifier {
    group_id: Option<String> = "GroupId",
    group_name: Option<String> = "GroupName",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ServiceDetail {
    service_name: Option<String> = "ServiceName",
    service_id: Option<String> = "ServiceId",
    service_type: Option<Vec<ServiceTypeDetail>> = "ServiceType",
    service_region: Option<String> = "ServiceRegion",
    availability_zone_ids: Option<Vec<String>> = "AvailabilityZoneIds",
    availability_zones: Option<Vec<String>> = "AvailabilityZones",
    owner: Option<String> = "Owner",
    base_endpoint_dns_names: Option<Vec<String>> = "BaseEndpointDnsNames",
    private_dns_name: Option<String> = "PrivateDnsName",
    private_dns_names: Option<Vec<PrivateDnsDetails>> = "PrivateDnsNames",
    vpc_endpoint_policy_supported: Option<bool> = "VpcEndpointPolicySupported",
    acceptance_required: Option<bool> = "AcceptanceRequired",
    manages_vpc_endpoints: Option<bool> = "ManagesVpcEndpoints",
    payer_responsibility: Option<String> = "PayerResponsibility",
    tags: Option<Vec<Tag>> = "Tags",
    private_dns_name_verification_state: Option<String> = "PrivateDnsNameVerificationState",
    supported_ip_address_types: Option<Vec<String>> = "SupportedIpAddressTypes",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ServiceTypeDetail {
    service_type: Option<String> = "ServiceType",
} }
both! { #[derive(Debug, Clone, PartialEq)] SubnetConfiguration {
    subnet_id: Option<String> = "SubnetId",
    ipv4: Option<String> = "Ipv4",
    ipv6: Option<String> = "Ipv6",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SubnetIpPrefixes {
    subnet_id: Option<String> = "SubnetId",
    ip_prefixes: Option<Vec<String>> = "IpPrefixes",
} }
both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: Option<String> = "Key",
    value: Option<String> = "Value",
} }
both! { #[derive(Debug, Clone, PartialEq)] TagSpecification {
    resource_type: Option<String> = "ResourceType",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UnsuccessfulItem {
    error: Option<UnsuccessfulItemError> = "Error",
    resource_id: Option<String> = "ResourceId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UnsuccessfulItemError {
    code: Option<String> = "Code",
    message: Option<String> = "Message",
} }
shape! { #[derive(Debug, Clone, PartialEq)] VpcEndpoint {
    vpc_endpoint_id: Option<String> = "VpcEndpointId",
    vpc_endpoint_type: Option<String> = "VpcEndpointType",
    vpc_id: Option<String> = "VpcId",
    service_name: Option<String> = "ServiceName",
    state: Option<String> = "State",
    policy_document: Option<String> = "PolicyDocument",
    route_table_ids: Option<Vec<String>> = "RouteTableIds",
    subnet_ids: Option<Vec<String>> = "SubnetIds",
    groups: Option<Vec<SecurityGroupIdentifier>> = "Groups",
    ip_address_type: Option<String> = "IpAddressType",
    dns_options: Option<DnsOptions> = "DnsOptions",
    private_dns_enabled: Option<bool> = "PrivateDnsEnabled",
    requester_managed: Option<bool> = "RequesterManaged",
    network_interface_ids: Option<Vec<String>> = "NetworkInterfaceIds",
    dns_entries: Option<Vec<DnsEntry>> = "DnsEntries",
    creation_timestamp: Option<Timestamp> = "CreationTimestamp",
    tags: Option<Vec<Tag>> = "Tags",
    owner_id: Option<String> = "OwnerId",
    last_error: Option<LastError> = "LastError",
    ipv4_prefixes: Option<Vec<SubnetIpPrefixes>> = "Ipv4Prefixes",
    ipv6_prefixes: Option<Vec<SubnetIpPrefixes>> = "Ipv6Prefixes",
    failure_reason: Option<String> = "FailureReason",
    service_network_arn: Option<String> = "ServiceNetworkArn",
    resource_configuration_arn: Option<String> = "ResourceConfigurationArn",
    service_region: Option<String> = "ServiceRegion",
    payer_responsibilities: Option<Vec<PayerResponsibilityEntry>> = "PayerResponsibilities",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateVpcEndpoint {
    dry_run: Option<bool> = "DryRun",
    vpc_endpoint_type: Option<String> = "VpcEndpointType",
    vpc_id: String = "VpcId",
    service_name: Option<String> = "ServiceName",
    policy_document: Option<String> = "PolicyDocument",
    route_table_ids: Option<Vec<String>> = "RouteTableIds",
    subnet_ids: Option<Vec<String>> = "SubnetIds",
    security_group_ids: Option<Vec<String>> = "SecurityGroupIds",
    ip_address_type: Option<String> = "IpAddressType",
    dns_options: Option<DnsOptionsSpecification> = "DnsOptions",
    client_token: Option<String> = "ClientToken",
    private_dns_enabled: Option<bool> = "PrivateDnsEnabled",
    tag_specifications: Option<Vec<TagSpecification>> = "TagSpecifications",
    subnet_configurations: Option<Vec<SubnetConfiguration>> = "SubnetConfigurations",
    service_network_arn: Option<String> = "ServiceNetworkArn",
    resource_configuration_arn: Option<String> = "ResourceConfigurationArn",
    service_region: Option<String> = "ServiceRegion",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeVpcEndpoints {
    dry_run: Option<bool> = "DryRun",
    vpc_endpoint_ids: Option<Vec<String>> = "VpcEndpointIds",
    filters: Option<Vec<Filter>> = "Filters",
    max_results: Option<i64> = "MaxResults",
    next_token: Option<String> = "NextToken",
} }
request! { #[derive(Debug, Clone, PartialEq)] ModifyVpcEndpoint {
    dry_run: Option<bool> = "DryRun",
    vpc_endpoint_id: String = "VpcEndpointId",
    reset_policy: Option<bool> = "ResetPolicy",
    policy_document: Option<String> = "PolicyDocument",
    add_route_table_ids: Option<Vec<String>> = "AddRouteTableIds",
    remove_route_table_ids: Option<Vec<String>> = "RemoveRouteTableIds",
    add_subnet_ids: Option<Vec<String>> = "AddSubnetIds",
    remove_subnet_ids: Option<Vec<String>> = "RemoveSubnetIds",
    add_security_group_ids: Option<Vec<String>> = "AddSecurityGroupIds",
    remove_security_group_ids: Option<Vec<String>> = "RemoveSecurityGroupIds",
    ip_address_type: Option<String> = "IpAddressType",
    dns_options: Option<DnsOptionsSpecification> = "DnsOptions",
    private_dns_enabled: Option<bool> = "PrivateDnsEnabled",
    subnet_configurations: Option<Vec<SubnetConfiguration>> = "SubnetConfigurations",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteVpcEndpoints {
    dry_run: Option<bool> = "DryRun",
    vpc_endpoint_ids: Vec<String> = "VpcEndpointIds",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeVpcEndpointServices {
    dry_run: Option<bool> = "DryRun",
    service_names: Option<Vec<String>> = "ServiceNames",
    filters: Option<Vec<Filter>> = "Filters",
    max_results: Option<i64> = "MaxResults",
    next_token: Option<String> = "NextToken",
    service_regions: Option<Vec<String>> = "ServiceRegions",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateVpcEndpointResult {
    vpc_endpoint: Option<VpcEndpoint> = "VpcEndpoint",
    client_token: Option<String> = "ClientToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeVpcEndpointsResult {
    vpc_endpoints: Option<Vec<VpcEndpoint>> = "VpcEndpoints",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ModifyVpcEndpointResult {
    returned: Option<bool> = "Return",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DeleteVpcEndpointsResult {
    unsuccessful: Option<Vec<UnsuccessfulItem>> = "Unsuccessful",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeVpcEndpointServicesResult {
    service_names: Option<Vec<String>> = "ServiceNames",
    service_details: Option<Vec<ServiceDetail>> = "ServiceDetails",
    next_token: Option<String> = "NextToken",
} }
operations! {
    CreateVpcEndpoint,
    DescribeVpcEndpoints,
    ModifyVpcEndpoint,
    DeleteVpcEndpoints,
    DescribeVpcEndpointServices,
}
