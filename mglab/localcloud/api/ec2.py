"""EC2 as the rest of the cloud sees it: the port between its pages and load balancing, scaling, the daemon.

Clients talk to the pages (each a page of the console: instances, images, templates, networks). Load
balancing and Auto Scaling talk to ``Ec2`` through the ``Compute`` protocol. The daemon calls ``tick`` and
``observe`` and reads what should be: machines, images, public fronts, addresses, names. Everything is called
under the cloud's one lock; times are lab epoch seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mglab.localcloud.addresses import AddressPlan
from mglab.localcloud.api import moto_clock, moto_room
from mglab.localcloud.api.compute import InstanceView, LaunchRequest, NodeInterface, SubnetView
from mglab.localcloud.api.conditions import Conditions
from mglab.localcloud.api.ec2_absent import Absent
from mglab.localcloud.api.ec2_account import Account
from mglab.localcloud.api.ec2_addresses import Addresses
from mglab.localcloud.api.ec2_attributes import Attributes
from mglab.localcloud.api.ec2_documents import private_name
from mglab.localcloud.api.ec2_gateways import Gateways
from mglab.localcloud.api.ec2_group_rules import GroupRules
from mglab.localcloud.api.ec2_groups import Groups
from mglab.localcloud.api.ec2_images import Images, seed_images
from mglab.localcloud.api.ec2_instances import Instances, template_tags
from mglab.localcloud.api.ec2_interfaces import Interfaces
from mglab.localcloud.api.ec2_keys import Keys
from mglab.localcloud.api.ec2_launch import DEFAULT_TYPE, admit, authorize, checked, checked_contents, launch
from mglab.localcloud.api.ec2_network import Networks
from mglab.localcloud.api.ec2_options import Options
from mglab.localcloud.api.ec2_routes import RouteTables
from mglab.localcloud.api.ec2_snapshots import Snapshots
from mglab.localcloud.api.ec2_state import Instance, World, new_id
from mglab.localcloud.api.ec2_subnets import Subnets
from mglab.localcloud.api.ec2_tags import Tags
from mglab.localcloud.api.ec2_templates import Templates, find_template, find_version
from mglab.localcloud.api.ec2_types import Types
from mglab.localcloud.api.ec2_volumes import Volumes
from mglab.localcloud.api.ec2_vpcs import Vpcs
from mglab.localcloud.knobs import DEFAULTS, Knobs
from mglab.localcloud.rules.lifecycle import is_up, power, start, stop, terminate
from mglab.localcloud.rules.reach import SSH_PORT, Network, Target, from_internet, promised_ports
from mglab.localcloud.seam import Front, ImageSpec, MachineSpec, Observed, PrivateAddress

ANY_CLIENT = "127.0.0.1"
"""A client on this host stands for any on the internet: rules for everybody admit it, narrower ones do not."""
FRONT_STATES = ("running", "shutting-down", "stopping")


@dataclass(frozen=True)
class Setting:
    """The host, as a world finds it that comes back: its addresses, and whose file trees are gone."""

    directory: Path
    plan: AddressPlan
    ssh_port: int
    lost: frozenset[str] = frozenset()


class Ec2:
    """The EC2 of one cloud; implements ``compute.Compute``."""

    def __init__(
        self,
        now: Callable[[], float],
        plan: AddressPlan,
        random: Random,
        directory: Path,
        base_image_id: str,
        project2_image_id: str,
        knobs: Knobs = DEFAULTS,
        ssh_port: int = SSH_PORT,
    ) -> None:
        moto_clock.install_clock(now)
        backend = moto_room.open_backend()
        self._world = world = World(backend, now, plan, random, directory, knobs)
        self._ssh_port = ssh_port
        seed_images(world, base_image_id, project2_image_id)
        self._instances = Instances(world)
        self._images = Images(world)
        self._networks = Networks(world)
        groups = Groups(world)
        self.pages = (
            *(self._instances, self._images, self._networks, Templates(world), Attributes(world)),
            *(Snapshots(world), Volumes(world), Keys(world), Types(world), Options(world)),
            *(Vpcs(world), Subnets(world), Gateways(world), RouteTables(world)),
            *(groups, GroupRules(world, groups.named), Interfaces(world), Addresses(world)),
            *(Tags(world), Account(world), Absent()),
        )
        """Where the door looks for handlers."""

    @property
    def conditions(self) -> Conditions:
        """Under which conditions the account is used at present."""
        return self._world.conditions

    def use_knobs(self, knobs: Knobs) -> None:
        """Let the model's knobs be these from now on."""
        self._world.knobs = knobs

    def bring_key_pair(self, name: str, public_key: bytes) -> None:
        """Put a key pair into the account, unless it has one of that name."""
        if name not in self._world.backend.key_pairs:
            self._world.backend.import_key_pair(name, public_key, {})

    # the daemon

    def tick(self, now: float) -> None:
        """Move everything on to ``now``."""
        self._networks.advance(now)
        self._images.advance(now)
        self._instances.advance(now)

    def observe(self, observed: Observed) -> None:
        """Take in what the data plane reports."""
        self._images.note_copied(observed.images)
        self._instances.observe(observed.machines)

    def machines(self) -> tuple[MachineSpec, ...]:
        """Say which machines should exist and whether their processes should run."""
        alive = (i for i in self._world.instances.values() if i.life.state != "terminated")
        return tuple(_machine(instance, self._ssh_port) for instance in alive)

    def images(self) -> tuple[ImageSpec, ...]:
        """Say which images' trees should exist, and from what each is made."""
        kept = (image for image in self._images.kept() if image.state != "failed")
        return tuple(ImageSpec(i.image_id, i.source_instance_id, i.no_reboot) for i in kept)

    def fronts(self, listener_ports: Iterable[int]) -> tuple[Front, ...]:
        """Say, for each promised port of each public address of an instance, whether clients get through."""
        network = self.network()
        ports = promised_ports(network, tuple(listener_ports))
        public = (
            i for i in self._world.instances.values() if i.interface.public_address and i.life.state in FRONT_STATES
        )
        return tuple(front for instance in public for front in self._fronts_of(instance, network, ports))

    def private_addresses(self) -> tuple[PrivateAddress, ...]:
        """Say which loopback address stands for each private one."""
        return tuple(
            PrivateAddress(i.vpc_id, i.private_address, i.loopback_address) for i in self._world.interfaces.values()
        )

    def names(self) -> dict[str, tuple[str, ...]]:
        """Give the DNS names of instances: private ones, and public ones where the VPC has them."""
        names: dict[str, tuple[str, ...]] = {}
        for interface in self._world.interfaces.values():
            if interface.instance_id is None:
                continue
            names[private_name(interface.private_address)] = (interface.loopback_address,)
            public = self._world.public_name(interface.vpc_id, interface.public_address)
            if public and interface.public_address:
                names[public] = (interface.public_address,)
        return names

    def host_restarted(self, now: float, setting: Setting) -> None:
        """Go on in another process, on this host as it is now: what ran boots again, what lost its disk ends."""
        world = self._world
        moto_clock.install_clock(world.now)
        moto_room.install(world.backend)
        world.directory, world.plan, self._ssh_port = setting.directory, setting.plan, setting.ssh_port
        self._networks.advance(now)
        self._images.host_restarted(setting.lost)
        self._instances.host_restarted(now, setting.lost)

    # Compute

    def instance(self, instance_id: str) -> InstanceView | None:
        """Give an instance, terminated ones included while EC2 still lists them."""
        found = self._world.instances.get(instance_id)
        return self._view(found) if found else None

    def instances(self) -> tuple[InstanceView, ...]:
        """Give every instance that EC2 lists."""
        return tuple(self._view(instance) for instance in self._world.instances.values())

    def subnet(self, subnet_id: str) -> SubnetView | None:
        """Give a subnet."""
        for subnets in self._world.backend.subnets.values():
            if subnet_id in subnets:
                subnet = subnets[subnet_id]
                return SubnetView(
                    subnet_id=subnet.id,
                    vpc_id=subnet.vpc_id,
                    zone=subnet.availability_zone,
                    zone_id=subnet.availability_zone_id,
                    cidr=subnet.cidr_block,
                    free_addresses=self._world.count_free_addresses(subnet),
                )
        return None

    def default_subnet(self, zone: str) -> SubnetView | None:
        """Give a zone's default subnet."""
        found = [subnets[each] for subnets in self._world.backend.subnets.values() for each in subnets]
        ids = [each.id for each in found if each.default_for_az and each.availability_zone == zone]
        return self.subnet(ids[0]) if ids else None

    def has_gateway(self, vpc_id: str) -> bool:
        """Say whether the VPC has an internet gateway attached."""
        return self._world.gateway_of(vpc_id) is not None

    def vpc_exists(self, vpc_id: str) -> bool:
        """Say whether the VPC is there."""
        return vpc_id in self._world.backend.vpcs

    def vpc_of_security_group(self, group_id: str) -> str | None:
        """Give the VPC that a security group is in, None when there is no such group."""
        group = self._world.backend.get_security_group_from_id(group_id)
        return None if group is None else str(group.vpc_id)

    def check_template(self, template_id: str | None, name: str | None, version: str) -> tuple[str, str]:
        """Give (template id, name) of a launch template whose contents could be launched; else raise ApiError."""
        template = find_template(self._world, template_id, name)
        contents = find_version(template, version).data
        checked_contents(self._world, contents)
        authorize(self._world, contents)
        return template.template_id, template.name

    def template_version(self, template_id: str, version: str) -> tuple[int, str, str]:
        """Resolve ``$Latest`` or ``$Default``: give (version number, image id, instance type)."""
        found = find_version(find_template(self._world, template_id, None), version)
        return found.number, found.data.get("ImageId", ""), found.data.get("InstanceType", DEFAULT_TYPE)

    def launch(self, request: LaunchRequest, now: float) -> str:
        """Start one instance (pending) and give its id; raises ApiError as RunInstances would."""
        world = self._world
        template = find_template(world, request.launch_template_id, None)
        version = find_version(template, request.version)
        params = dict(version.data)
        interfaces = params.get("NetworkInterfaces")
        if interfaces:
            params["NetworkInterfaces"] = [{**interfaces[0], "SubnetId": request.subnet_id}, *interfaces[1:]]
        else:
            params["SubnetId"] = request.subnet_id
        order = checked(world, params)
        admit(world, [(order.instance_type, world.subnet(order.subnet_id).availability_zone)])
        instance = launch(world, order, 0, new_id("r"), new_id("token"))
        world.tag(instance.instance_id, {**request.tags, **template_tags(template.template_id, version.number)})
        return instance.instance_id

    def terminate(self, instance_id: str, now: float) -> None:
        """Begin to terminate an instance; one that is gone already is no error."""
        instance = self._world.instances.get(instance_id)
        if instance is not None:
            self._instances.turn(instance, terminate(instance.life, now), now)

    def stop(self, instance_id: str, now: float) -> None:
        """Begin to stop a running instance."""
        instance = self._world.instance(instance_id)
        self._instances.turn(instance, stop(instance.life, now), now)

    def start(self, instance_id: str, now: float) -> None:
        """Start a stopped instance."""
        instance = self._world.instance(instance_id)
        self._instances.turn(instance, start(instance.life, now), now)

    def create_node_interface(
        self, description: str, subnet_id: str, *, public: bool, group_ids: tuple[str, ...] = ()
    ) -> NodeInterface:
        """Make a load balancer's interface (``ELB net/...``, requester-managed) in a subnet."""
        interface = self._world.add_interface(subnet_id, group_ids, description)
        interface.requester_managed = True
        interface.attachment_id = new_id("ela-attach")
        if public:
            self._world.assign_public(interface)
        return NodeInterface(
            interface.interface_id, interface.private_address, interface.loopback_address, interface.public_address
        )

    def set_node_groups(self, interface_id: str, group_ids: tuple[str, ...]) -> None:
        """Replace the security groups of a load balancer's interface."""
        self._world.interfaces[interface_id].group_ids = list(group_ids)

    def delete_node_interface(self, interface_id: str) -> None:
        """Delete a load balancer's interface; one that is gone already is no error."""
        interface = self._world.interfaces.get(interface_id)
        if interface is not None:
            self._world.drop_interface(interface)

    def network(self) -> Network:
        """Give route tables, gateways and security groups as the reachability rule reads them."""
        return self._networks.network()

    # parts

    def _view(self, instance: Instance) -> InstanceView:
        interface = instance.interface
        return InstanceView(
            instance_id=instance.instance_id,
            state=instance.life.state,
            image_id=instance.image_id,
            instance_type=instance.instance_type,
            vpc_id=interface.vpc_id,
            subnet_id=interface.subnet_id,
            zone=interface.zone,
            private_address=interface.private_address,
            loopback_address=interface.loopback_address,
            public_address=interface.public_address,
            security_group_ids=tuple(interface.group_ids),
            launched_at=instance.launched_at,
            serving=is_up(instance.life, self._world.now()) and self._world.cut_off_since(instance) is None,
            tags=self._world.tags(instance.instance_id),
            detailed_monitoring=instance.monitoring,
            impaired_since=self._world.impaired_since(instance),
        )

    def _fronts_of(self, instance: Instance, network: Network, ports: tuple[int, ...]) -> Iterable[Front]:
        interface, reachable = instance.interface, self._world.cut_off_since(instance) is None
        up = reachable and is_up(instance.life, self._world.now())
        target = Target(interface.vpc_id, interface.subnet_id, tuple(interface.group_ids), interface.public_address)
        for port in ports:
            if port != SSH_PORT and port == self._ssh_port:
                continue  # on this host that number stands for 22, which is among the ports too
            open_ = up and from_internet(network, target, port, ANY_CLIENT).allowed
            yield Front(
                instance_id=instance.instance_id,
                address=interface.public_address or "",
                port=self._ssh_port if port == SSH_PORT else port,
                verdict="open" if open_ else "dropped",
                target_address=interface.loopback_address,
            )


def _machine(instance: Instance, ssh_port: int) -> MachineSpec:
    address = instance.interface.private_address
    return MachineSpec(
        instance_id=instance.instance_id,
        image_id=instance.image_id,
        power=power(instance.life),
        boots=instance.life.boots,
        vpc_id=instance.interface.vpc_id,
        private_address=address,
        loopback_address=instance.interface.loopback_address,
        host_name=f"ip-{address.replace('.', '-')}",
        user_data=instance.user_data,
        public_key=instance.public_key,
        ssh_port=ssh_port,
    )
