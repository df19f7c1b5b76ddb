"""What a key is as its owner sees it from outside: its shape, what it sealed, and a change of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

SYMMETRIC, MAC, IMPORTED = "symmetric", "mac", "imported"


@dataclass(frozen=True)
class Shape:
    """All of a key that can be seen from outside."""

    state: str
    description: str
    policy: str
    tags: frozenset = frozenset()
    aliases: frozenset = frozenset()
    grants: frozenset = frozenset()
    rotates_after: int | None = None
    # The state of each material in the order of their making.
    materials: tuple = ()


@dataclass
class Kept:
    """Something that a key has sealed or signed."""

    blob: bytes
    plaintext: bytes
    context: dict

    def opens(self, kms, arn: str, kind: str) -> bytes:
        if kind == MAC:
            valid = kms.verify_mac(KeyId=arn, Message=self.plaintext, Mac=self.blob, MacAlgorithm="HMAC_SHA_256")["MacValid"]
            return self.plaintext if valid else b""
        return kms.decrypt(CiphertextBlob=self.blob, EncryptionContext=self.context)["Plaintext"]


@dataclass
class Key:
    """One key: what it is, what it sealed, and what is needed to change it."""

    arn: str
    kind: str
    shape: Shape
    kept: list[Kept] = field(default_factory=list)
    # What deletion would have to undo.
    before_deletion: str = "Enabled"
    # Whether it is disabled once it has all of its material again: a deletion that was called off enables nothing.
    is_held_back: bool = False
    # What was brought, or is yet to be: as many as the key has materials, and one more while its import is in doubt.
    brought: list[bytes] = field(default_factory=list)
    parameters: dict | None = None


@dataclass
class Change:
    """A call, and what the keys are after it."""

    call: Callable
    arguments: dict
    after: dict[str, Shape]
    # What to note once the call was acknowledged or is found to have happened.
    then: Callable[[], None] = lambda: None
    name: str = ""


def observed(kms, arn: str, kind: str) -> Shape:
    """The key as it is, by every call that shows a part of it."""
    found = kms.describe_key(KeyId=arn)["KeyMetadata"]
    state = found["KeyState"]
    assert found["Enabled"] == (state == "Enabled"), found
    assert ("DeletionDate" in found) == (state == "PendingDeletion"), found
    text = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    tags = kms.list_resource_tags(KeyId=arn)["Tags"]
    aliases = [alias["AliasName"] for alias in kms.list_aliases(KeyId=arn, Limit=100)["Aliases"]]
    grants = kms.list_grants(KeyId=arn, Limit=100)["Grants"]
    for alias in aliases[:1]:
        assert kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"] == arn
    rotates, materials = None, ()
    if kind != MAC:
        listed = kms.list_key_rotations(KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1000)["Rotations"]
        materials = tuple(sorted((one["KeyMaterialState"], one.get("ImportState", "")) for one in listed))
        current = [one["KeyMaterialId"] for one in listed if one["KeyMaterialState"] == "CURRENT"]
        assert current == [found["CurrentKeyMaterialId"]] if "CurrentKeyMaterialId" in found else not current, (found, listed)
    if kind == SYMMETRIC and state != "PendingDeletion":
        rotation = kms.get_key_rotation_status(KeyId=arn)
        rotates = rotation.get("RotationPeriodInDays") if rotation["KeyRotationEnabled"] else None
    return Shape(
        state=state,
        description=found["Description"],
        policy=text["Statement"][0].get("Sid", ""),
        tags=frozenset((tag["TagKey"], tag["TagValue"]) for tag in tags),
        aliases=frozenset(aliases),
        grants=frozenset((grant["Name"], tuple(sorted(grant["Operations"]))) for grant in grants),
        rotates_after=rotates,
        materials=materials,
    )


def seen(shape: Shape) -> Shape:
    """A shape as `observed` can tell it: without order, and without what a key that waits for its end does not show."""
    waits = shape.state == "PendingDeletion"
    return replace(shape, materials=tuple(sorted(shape.materials)), rotates_after=None if waits else shape.rotates_after)
