"""Key pairs: made here or imported; the private half is given once and never kept.

A fingerprint's form says where a key comes from (EC2's guide, "Verify the fingerprint"): SHA-1 of the private key for
an RSA key that EC2 made, MD5 of the public one for an RSA key that was imported, SHA-256 in base64 for ED25519.
Names and ids that are not there are refused when described (aws-facts 3.7 row 22) and no error when deleted. The keys
themselves are made and held by moto.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mglab.localcloud.api.ec2_filters import Reader, select
from mglab.localcloud.api.ec2_state import World, dry_run, missing, tag_list, tags_for
from mglab.localcloud.api.faults import ApiError

LONGEST_NAME = 255
RFC_4716 = b"---- BEGIN SSH2 PUBLIC KEY"


class Keys:
    """The console's page "Key Pairs"."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create_key_pair(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make a key pair and give its private half, this once."""
        name = self._free_name(params["KeyName"])
        if params.get("KeyFormat", "pem") != "pem":
            raise ApiError("UnsupportedOperation", "The local cloud writes private keys in the form pem only.")
        dry_run(params)
        tags = tags_for("key-pair", params.get("TagSpecifications", []))
        key = self._world.backend.create_key_pair(name, params.get("KeyType", "rsa"), tags)
        key.key_fingerprint = _fingerprint_of_made(key.key_type, key.key_material.encode(), key.public_key.encode())
        return {**_named(key), "KeyMaterial": key.key_material, "Tags": self._tags(key) or None}

    def import_key_pair(self, params: dict[str, Any]) -> dict[str, Any]:
        """Take in the public half of a key pair made elsewhere."""
        name = self._free_name(params["KeyName"])
        material = _openssh(params["PublicKeyMaterial"])
        dry_run(params)
        tags = tags_for("key-pair", params.get("TagSpecifications", []))
        key = self._world.backend.import_key_pair(name, material, tags)
        key.key_fingerprint = _fingerprint_of_imported(key.key_type, key.public_key.encode())
        return {**_named(key), "Tags": self._tags(key) or None}

    def describe_key_pairs(self, params: dict[str, Any]) -> dict[str, Any]:
        """List key pairs; unknown names and ids are refused (aws-facts 3.7 row 22)."""
        dry_run(params)
        keys = list(self._world.backend.key_pairs.values())
        names, ids = params.get("KeyNames", []), params.get("KeyPairIds", [])
        for wanted, there in ((names, {key.key_name for key in keys}), (ids, {key.id for key in keys})):
            for unknown in [each for each in wanted if each not in there]:
                missing("InvalidKeyPair", f"The key pair '{unknown}' does not exist")
        chosen = [key for key in keys if not (names or ids) or key.key_name in names or key.id in ids]
        found = select(chosen, params.get("Filters", []), _READERS, lambda key: self._world.tags(key.id))
        with_public = params.get("IncludePublicKey", False)
        return {"KeyPairs": [self._document(key, with_public) for key in found]}

    def delete_key_pair(self, params: dict[str, Any]) -> dict[str, Any]:
        """Delete a key by name or id; one that is not there is no error."""
        if not params.get("KeyName") and not params.get("KeyPairId"):
            raise ApiError("MissingParameter", "The request must contain the parameter KeyName or KeyPairId")
        dry_run(params)
        wanted = (params.get("KeyName"), params.get("KeyPairId"))
        for key in list(self._world.backend.key_pairs.values()):
            if key.key_name == wanted[0] or key.id == wanted[1]:
                self._world.backend.delete_key_pair(key.key_name)
                return {"Return": True, "KeyPairId": key.id}
        return {"Return": True}

    def _free_name(self, name: str) -> str:
        if not 1 <= len(name) <= LONGEST_NAME or not re.fullmatch(r"[\x20-\x7e]+", name):
            message = f"Value ({name}) for parameter KeyName is invalid. Use 1 to {LONGEST_NAME} ASCII characters."
            raise ApiError("InvalidParameterValue", message)
        if name in self._world.backend.key_pairs:  # aws-facts 3.7 row 23
            raise ApiError("InvalidKeyPair.Duplicate", "The keypair already exists")
        return name

    def _tags(self, key: Any) -> list[dict[str, str]]:
        return tag_list(self._world.tags(key.id))

    def _document(self, key: Any, with_public: bool) -> Mapping[str, Any]:
        return {
            **_named(key),
            "KeyType": key.key_type,
            "CreateTime": key.create_time.replace(tzinfo=UTC),
            "Tags": self._tags(key),
            "PublicKey": key.public_key if with_public else None,
        }


def _openssh(material: bytes) -> bytes:
    """Give a public key in OpenSSH's form, from that or RFC 4716's; raises ApiError."""
    lines = material.strip().splitlines()
    if lines and lines[0].startswith(RFC_4716):
        blob = b"".join(line for line in lines if b":" not in line and not line.startswith(b"----"))
        material = b"ssh-rsa " + blob
    try:
        key = serialization.load_ssh_public_key(material)
    except (ValueError, UnsupportedAlgorithm) as broken:
        raise ApiError("InvalidKey.Format", "Key is not in valid OpenSSH public key format") from broken
    if not isinstance(key, (RSAPublicKey, Ed25519PublicKey)):
        raise ApiError("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
    return material


def _named(key: Any) -> dict[str, Any]:
    return {"KeyName": key.key_name, "KeyPairId": key.id, "KeyFingerprint": key.key_fingerprint}


def _fingerprint_of_made(key_type: str, private: bytes, public: bytes) -> str:
    if key_type == "ed25519":
        return _sha256(public)
    der = serialization.load_pem_private_key(private, None).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _by_twos(hashlib.sha1(der, usedforsecurity=False).hexdigest())


def _fingerprint_of_imported(key_type: str, public: bytes) -> str:
    if key_type == "ed25519":
        return _sha256(public)
    der = serialization.load_ssh_public_key(public).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _by_twos(hashlib.md5(der, usedforsecurity=False).hexdigest())


def _sha256(public: bytes) -> str:
    blob = base64.b64decode(public.split()[1])
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def _by_twos(digits: str) -> str:
    return ":".join(re.findall("..", digits))


_READERS: dict[str, Reader] = {
    "key-name": lambda key: (key.key_name,),
    "key-pair-id": lambda key: (key.id,),
    "fingerprint": lambda key: (key.key_fingerprint,),
}
