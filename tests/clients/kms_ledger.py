"""Keys as somebody knows them who has only the answers of KMS: every change that was acknowledged, and the one that was not.

An owner changes keys of its own, one call after the other, and notes what each key has to be afterwards. A call whose answer
never came leaves a doubt: then the keys are wholly as before it or wholly as after it, and `Owner.settle` finds out which.
"""

import os
import random
from collections.abc import Callable
from dataclasses import replace

import botocore.exceptions
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kms_account import Keeper, granting
from kms_shapes import IMPORTED, MAC, SYMMETRIC, Change, Kept, Key, Shape, observed, seen
from soaking import ask
from sts import document

MOST_KEYS = 6
MOST_ROTATIONS = 20
UNUSABLE = {"Disabled": "DisabledException", "PendingDeletion": "KMSInvalidStateException", "PendingImport": "KMSInvalidStateException"}
CREATE_KEY = "CreateKey"
HERE, GONE = "IMPORTED", "PENDING_IMPORT"


class Owner:
    """Changes keys of its own, and knows what each has to be."""

    # Every mutating operation but CreateKey, and what asks for it.
    CHANGES = {
        "UpdateKeyDescription": "describe",
        "PutKeyPolicy": "put_policy",
        "TagResource": "tag",
        "UntagResource": "untag",
        "CreateAlias": "create_alias",
        "UpdateAlias": "update_alias",
        "DeleteAlias": "delete_alias",
        "CreateGrant": "create_grant",
        "RevokeGrant": "revoke_grant",
        "RetireGrant": "retire_grant",
        "EnableKeyRotation": "enable_rotation",
        "DisableKeyRotation": "disable_rotation",
        "RotateKeyOnDemand": "rotate",
        "DisableKey": "disable",
        "EnableKey": "enable",
        "ScheduleKeyDeletion": "schedule",
        "CancelKeyDeletion": "cancel",
        "ImportKeyMaterial": "bring",
        "ImportKeyMaterial (new)": "bring_new",
        "DeleteImportedKeyMaterial": "delete_material",
    }

    def __init__(self, account: Keeper, name: str, seed: int):
        self.name = name
        self.number = account.number
        self.chance = random.Random(seed)
        self.keys: dict[str, Key] = {}
        # Keys that are to be deleted, and are not touched any more.
        self.given_up: dict[str, Key] = {}
        self.doubt: Change | None = None
        self.being_made: Key | None = None
        self.touched: set[str] = set()
        self.count = 0
        self.done: dict[str, int] = {}
        # Operations that nobody answered, and what had become of them.
        self.doubts: list[tuple[str, str]] = []
        self.meet(account)

    def meet(self, account: Keeper) -> None:
        """Goes on with a server that was started anew."""
        self.kms = account.kms
        self.root = account.root

    def word(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    def policy(self, sid: str) -> str:
        return document(granting(self.root, "kms:*", Sid=sid))

    # What is asked for.

    def wish(self, name: str, key: Key) -> Change | None:
        """The change of this name of a key; nothing if the key is not for it."""
        change = getattr(self, self.CHANGES[name])(key)
        if change:
            change.name = name
        return change

    def change(self, name: str) -> Change | None:
        """A change of this name of one of the keys, if there is one that it is for."""
        keys = list(self.keys.values())
        self.chance.shuffle(keys)
        wishes = (self.wish(name, key) for key in keys)
        return next((change for change in wishes if change), None)

    def any_change(self) -> Change | None:
        """Any of the changes that some key is for."""
        key = self.chance.choice(list(self.keys.values()))
        names = self.chance.sample(list(self.CHANGES), len(self.CHANGES))
        if key.kind == IMPORTED and self.chance.random() < 0.6:
            # Few keys, and few of their states, are for these.
            names.sort(key=lambda name: "Material" not in name and name != "RotateKeyOnDemand")
        if self.chance.random() < 0.7:
            # A key that waits for its deletion is for nothing else.
            names.remove("ScheduleKeyDeletion")
        return next((change for change in (self.wish(name, key) for name in names) if change), None)

    def _of(self, key: Key, call: Callable, after: Shape, then=lambda: None, **arguments) -> Change:
        return Change(call, {"KeyId": key.arn, **arguments}, {key.arn: after}, then)

    def describe(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion":
            return None
        word = self.word()
        return self._of(key, self.kms.update_key_description, replace(key.shape, description=word), Description=word)

    def put_policy(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion":
            return None
        sid = self.word().replace("-", "")
        return self._of(key, self.kms.put_key_policy, replace(key.shape, policy=sid), PolicyName="default", Policy=self.policy(sid))

    def tag(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion":
            return None
        new = {f"tag{self.chance.randrange(6)}": self.word() for _ in range(2)}
        tags = frozenset((dict(key.shape.tags) | new).items())
        wish = [{"TagKey": name, "TagValue": value} for name, value in new.items()]
        return self._of(key, self.kms.tag_resource, replace(key.shape, tags=tags), Tags=wish)

    def untag(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion" or not key.shape.tags:
            return None
        victim = self.chance.choice(sorted(key.shape.tags))
        return self._of(key, self.kms.untag_resource, replace(key.shape, tags=key.shape.tags - {victim}), TagKeys=[victim[0]])

    def create_alias(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion" or len(key.shape.aliases) >= 6:
            return None
        alias = f"alias/{self.word()}"
        after = replace(key.shape, aliases=key.shape.aliases | {alias})
        return Change(self.kms.create_alias, {"AliasName": alias, "TargetKeyId": key.arn}, {key.arn: after})

    def update_alias(self, key: Key) -> Change | None:
        others = [one for one in self.keys.values() if one.kind == key.kind and one.arn != key.arn and one.shape.state != "PendingDeletion"]
        if key.shape.state == "PendingDeletion" or not key.shape.aliases or not others:
            return None
        alias, other = self.chance.choice(sorted(key.shape.aliases)), self.chance.choice(others)
        after = {
            key.arn: replace(key.shape, aliases=key.shape.aliases - {alias}),
            other.arn: replace(other.shape, aliases=other.shape.aliases | {alias}),
        }
        return Change(self.kms.update_alias, {"AliasName": alias, "TargetKeyId": other.arn}, after)

    def delete_alias(self, key: Key) -> Change | None:
        if not key.shape.aliases:
            return None
        alias = self.chance.choice(sorted(key.shape.aliases))
        after = replace(key.shape, aliases=key.shape.aliases - {alias})
        return Change(self.kms.delete_alias, {"AliasName": alias}, {key.arn: after})

    def create_grant(self, key: Key) -> Change | None:
        if key.shape.state != "Enabled" or len(key.shape.grants) >= 8:
            return None
        name = self.word()
        operations = ["GenerateMac", "VerifyMac"] if key.kind == MAC else self.chance.sample(["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"], 2)
        after = replace(key.shape, grants=key.shape.grants | {(name, tuple(sorted(operations)))})
        grantee = f"arn:aws:iam::{self.number}:role/Developer"
        wish = {"GranteePrincipal": grantee, "RetiringPrincipal": f"arn:aws:iam::{self.number}:role/Admin", "Operations": operations, "Name": name}
        return self._of(key, self.kms.create_grant, after, **wish)

    def _grant(self, key: Key, call: Callable) -> Change | None:
        if key.shape.state == "PendingDeletion" or not key.shape.grants:
            return None
        victim = self.chance.choice(sorted(key.shape.grants))
        listed = ask(self.kms.list_grants, KeyId=key.arn, Limit=100)["Grants"]
        [found] = [grant["GrantId"] for grant in listed if grant["Name"] == victim[0]]
        return self._of(key, call, replace(key.shape, grants=key.shape.grants - {victim}), GrantId=found)

    def revoke_grant(self, key: Key) -> Change | None:
        return self._grant(key, self.kms.revoke_grant)

    def retire_grant(self, key: Key) -> Change | None:
        return self._grant(key, self.kms.retire_grant)

    def enable_rotation(self, key: Key) -> Change | None:
        if key.kind != SYMMETRIC or key.shape.state != "Enabled":
            return None
        days = self.chance.randint(90, 2560)
        return self._of(key, self.kms.enable_key_rotation, replace(key.shape, rotates_after=days), RotationPeriodInDays=days)

    def disable_rotation(self, key: Key) -> Change | None:
        if key.kind != SYMMETRIC or key.shape.state != "Enabled" or key.shape.rotates_after is None:
            return None
        return self._of(key, self.kms.disable_key_rotation, replace(key.shape, rotates_after=None))

    def rotate(self, key: Key) -> Change | None:
        held = [state for state, _ in key.shape.materials]
        if key.kind == MAC or key.shape.state != "Enabled" or len(held) > MOST_ROTATIONS:
            return None
        if key.kind == IMPORTED and "PENDING_ROTATION" not in held:
            return None
        older = [("NON_CURRENT", place) for state, place in key.shape.materials if state != "PENDING_ROTATION"]
        after = replace(key.shape, materials=(*older, ("CURRENT", key.shape.materials[0][1])))
        return self._of(key, self.kms.rotate_key_on_demand, after)

    def disable(self, key: Key) -> Change | None:
        if key.shape.state != "Enabled":
            return None
        return self._of(key, self.kms.disable_key, replace(key.shape, state="Disabled"))

    def enable(self, key: Key) -> Change | None:
        if key.shape.state != "Disabled":
            return None

        def then() -> None:
            key.is_held_back = False

        return self._of(key, self.kms.enable_key, replace(key.shape, state="Enabled"), then)

    def schedule(self, key: Key) -> Change | None:
        if key.shape.state == "PendingDeletion":
            return None
        was = key.shape.state

        def then() -> None:
            key.before_deletion = was

        return self._of(key, self.kms.schedule_key_deletion, replace(key.shape, state="PendingDeletion"), then, PendingWindowInDays=7)

    def cancel(self, key: Key) -> Change | None:
        if key.shape.state != "PendingDeletion":
            return None
        state = "PendingImport" if key.before_deletion == "PendingImport" else "Disabled"

        def then() -> None:
            key.is_held_back = bool(key.shape.materials)

        return self._of(key, self.kms.cancel_key_deletion, replace(key.shape, state=state), then)

    def _wrapped(self, key: Key, material: bytes) -> dict:
        if key.parameters is None:
            # One pair of them is good for a day, also after a restart.
            asked = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
            key.parameters = ask(self.kms.get_parameters_for_import, KeyId=key.arn, **asked)
        public = serialization.load_der_public_key(key.parameters["PublicKey"])
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        wrapped = public.encrypt(material, oaep)
        return {"ImportToken": key.parameters["ImportToken"], "EncryptedKeyMaterial": wrapped, "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}

    def bring(self, key: Key) -> Change | None:
        if key.kind != IMPORTED or key.shape.state != "PendingImport":
            return None
        if not key.shape.materials:
            material = os.urandom(32)
            after = replace(key.shape, state="Enabled", materials=(("CURRENT", HERE),))
            return self._of(key, self.kms.import_key_material, after, lambda: key.brought.append(material), **self._wrapped(key, material))
        [at] = [number for number, (_, place) in enumerate(key.shape.materials) if place == GONE]
        materials = tuple((state, HERE) for state, _ in key.shape.materials)
        after = replace(key.shape, state="Disabled" if key.is_held_back else "Enabled", materials=materials)
        return self._of(key, self.kms.import_key_material, after, **self._wrapped(key, key.brought[at]))

    def bring_new(self, key: Key) -> Change | None:
        held = [state for state, _ in key.shape.materials]
        if key.kind != IMPORTED or key.shape.state != "Enabled" or "PENDING_ROTATION" in held or len(held) > 5:
            return None
        material = os.urandom(32)
        after = replace(key.shape, materials=(*key.shape.materials, ("PENDING_ROTATION", HERE)))
        wish = self._wrapped(key, material) | {"ImportType": "NEW_KEY_MATERIAL"}
        return self._of(key, self.kms.import_key_material, after, lambda: key.brought.append(material), **wish)

    def delete_material(self, key: Key) -> Change | None:
        if key.kind != IMPORTED or key.shape.state != "Enabled":
            return None
        materials = tuple((state, GONE if state == "CURRENT" else place) for state, place in key.shape.materials)
        return self._of(key, self.kms.delete_imported_key_material, replace(key.shape, state="PendingImport", materials=materials))

    # Doing it.

    @property
    def doing(self) -> str:
        return self.doubt.name if self.doubt else "a use"

    def make(self, kind: str | None = None) -> None:
        """CreateKey."""
        kind, word = kind or self.chance.choice([SYMMETRIC, SYMMETRIC, MAC, IMPORTED]), self.word()
        sid = word.replace("-", "")
        wish = {"Description": word, "Policy": self.policy(sid), "Tags": [{"TagKey": "made", "TagValue": word}]}
        wish |= {SYMMETRIC: {}, MAC: {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, IMPORTED: {"Origin": "EXTERNAL"}}[kind]
        state = "PendingImport" if kind == IMPORTED else "Enabled"
        materials = (("CURRENT", ""),) if kind == SYMMETRIC else ()
        key = Key("", kind, Shape(state, word, sid, tags=frozenset({("made", word)}), materials=materials))
        self.being_made = key
        answer = ask(self.kms.create_key, **wish)
        self.being_made = None
        self._made(key, answer["KeyMetadata"]["Arn"])
        self._count(CREATE_KEY)

    def _made(self, key: Key, arn: str) -> None:
        key.arn = arn
        self.keys[arn] = key
        self.touched.add(arn)

    def do(self, change: Change) -> None:
        self.doubt = change
        self.touched.update(change.after)
        ask(change.call, **change.arguments)
        self.happened(change)
        self._count(change.name)

    def happened(self, change: Change) -> None:
        self.doubt = None
        change.then()
        for arn, shape in change.after.items():
            self.keys[arn].shape = shape

    def _count(self, operation: str) -> None:
        self.done[operation] = self.done.get(operation, 0) + 1

    def use(self, key: Key) -> None:
        """Has the key seal or sign something, and keeps it."""
        if key.shape.state != "Enabled":
            return
        context, plaintext = {"owner": self.name, "n": self.word()}, os.urandom(self.chance.choice([1, 32, 4096]))
        if key.kind == MAC:
            made = ask(self.kms.generate_mac, KeyId=key.arn, Message=plaintext, MacAlgorithm="HMAC_SHA_256")
            kept = Kept(made["Mac"], plaintext, {})
        elif self.chance.random() < 0.5:
            made = ask(self.kms.generate_data_key, KeyId=key.arn, KeySpec="AES_256", EncryptionContext=context)
            kept = Kept(made["CiphertextBlob"], made["Plaintext"], context)
        else:
            made = ask(self.kms.encrypt, KeyId=key.arn, Plaintext=plaintext, EncryptionContext=context)
            kept = Kept(made["CiphertextBlob"], plaintext, context)
        if len(key.kept) == 24:
            # Some of the oldest stay.
            del key.kept[self.chance.randrange(4, 20)]
        key.kept.append(kept)

    def step(self) -> bool:
        """Something, of everything there is; whether it was a change."""
        luck = self.chance.random()
        if not self.keys or (luck < 0.08 and len(self.keys) < MOST_KEYS):
            self.make()
            return True
        if luck < 0.10 and len(self.keys) == MOST_KEYS:
            ending = [key for key in self.keys.values() if key.shape.state == "PendingDeletion"]
            for key in ending[:1]:
                self.given_up[key.arn] = self.keys.pop(key.arn)
        if luck < 0.35:
            self.use(self.chance.choice(list(self.keys.values())))
            return False
        change = self.any_change()
        if change is None:
            return False
        self.do(change)
        return True

    # Looking at what became of it.

    def settle(self, strangers: dict[str, str]) -> None:
        """After a restart: finds out what became of the change that nobody answered. `strangers` are keys that nobody knows, by
        their descriptions."""
        if change := self.doubt:
            found = {arn: observed(self.kms, arn, self.keys[arn].kind) for arn in change.after}
            if found == {arn: seen(shape) for arn, shape in change.after.items()}:
                self.happened(change)
                self.doubts.append((change.name, "done"))
            else:
                self.doubt = None
                self.doubts.append((change.name, "not done"))
                before = {arn: seen(self.keys[arn].shape) for arn in change.after}
                assert found == before, f"{change.name} is half done: {found} of {before} and {change.after}"
        if key := self.being_made:
            arn = strangers.pop(key.shape.description, None)
            self.doubts.append((CREATE_KEY, "not done" if arn is None else "done"))
            self.being_made = None
            if arn is not None:
                self._made(key, arn)

    def check(self, key: Key) -> None:
        """What was acknowledged of a key holds, and what it sealed opens if and only if it should."""
        assert observed(self.kms, key.arn, key.kind) == seen(key.shape), key.arn
        expected = UNUSABLE.get(key.shape.state)
        for kept in key.kept:
            try:
                assert kept.opens(self.kms, key.arn, key.kind) == kept.plaintext
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == expected, (key.arn, key.shape.state, error)
            else:
                assert expected is None, f"{key.arn} is {key.shape.state}, and what it sealed opens"

    def check_touched(self, more: int) -> None:
        others = sorted((self.keys | self.given_up).keys() - self.touched)
        chosen = sorted(self.touched) + self.chance.sample(others, min(more, len(others)))
        for arn in chosen:
            self.check(self.keys.get(arn) or self.given_up[arn])
        self.touched.clear()

    def check_all(self) -> None:
        for key in (self.keys | self.given_up).values():
            self.check(key)
