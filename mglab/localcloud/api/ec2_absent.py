"""What an account of the lab has none of: listed as empty, so that a tool that looks everywhere finds nothing.

To make one is refused (InvalidAction): it would do nothing here. Asked for by id, it is not there, in AWS's words.
"""

from __future__ import annotations

from typing import Any

from mglab.localcloud.api.ec2_state import dry_run
from mglab.localcloud.api.faults import ApiError


class Absent:
    """EC2's lists of gateways, endpoints and connections that the local cloud does not have."""

    def describe_nat_gateways(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no NAT gateways."""
        return _none(params, "NatGatewayIds", "NatGateways", "NatGatewayNotFound", "NatGateway {} was not found")

    def describe_vpc_endpoints(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no VPC endpoints."""
        words = "The Vpc Endpoint Id '{}' does not exist"
        return _none(params, "VpcEndpointIds", "VpcEndpoints", "InvalidVpcEndpointId.NotFound", words)

    def describe_vpc_peering_connections(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no peering connections."""
        ids, answer = "VpcPeeringConnectionIds", "VpcPeeringConnections"
        words = "The vpcPeeringConnection ID '{}' does not exist"
        return _none(params, ids, answer, "InvalidVpcPeeringConnectionID.NotFound", words)

    def describe_egress_only_internet_gateways(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no egress-only internet gateways."""
        ids, answer = "EgressOnlyInternetGatewayIds", "EgressOnlyInternetGateways"
        words = "The egressOnlyInternetGateway ID '{}' does not exist"
        return _none(params, ids, answer, "InvalidGatewayID.NotFound", words)

    def describe_vpn_gateways(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no virtual private gateways."""
        words = "The vpnGateway ID '{}' does not exist"
        return _none(params, "VpnGatewayIds", "VpnGateways", "InvalidVpnGatewayID.NotFound", words)

    def describe_vpn_connections(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no VPN connections."""
        words = "The vpnConnection ID '{}' does not exist"
        return _none(params, "VpnConnectionIds", "VpnConnections", "InvalidVpnConnectionID.NotFound", words)

    def describe_flow_logs(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no flow logs."""
        words = "The flow log ID '{}' does not exist"
        return _none(params, "FlowLogIds", "FlowLogs", "InvalidFlowLogId.NotFound", words)

    def describe_transit_gateway_vpc_attachments(self, params: dict[str, Any]) -> dict[str, Any]:
        """List no attachments of transit gateways."""
        ids, answer = "TransitGatewayAttachmentIds", "TransitGatewayVpcAttachments"
        words = "Transit Gateway Attachment {} was deleted or does not exist."
        return _none(params, ids, answer, "InvalidTransitGatewayAttachmentID.NotFound", words)


def _none(params: dict[str, Any], ids: str, answer: str, code: str, words: str) -> dict[str, Any]:
    for resource_id in params.get(ids, []):
        raise ApiError(code, words.format(resource_id))
    dry_run(params)
    return {answer: []}
