"""Issuers that are not well: each harms only those who bring its tokens, and those not for long."""

import threading
import time

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa

from federating import Federated, authorities, trust
from identity_provider import PlayedIssuer
from serving import Moho

# For one request that waits for an issuer in vain: the server gives it five seconds.
WAITING = 20


@pytest.fixture
def unwell(tmp_path):
    """An issuer and a server that has not seen its keys yet; `answers` is what it does from then on."""
    begun = []

    def begin(make_answer):
        sick, healthy = PlayedIssuer(tmp_path / "sick"), PlayedIssuer(tmp_path / "healthy")
        known = authorities(tmp_path / "known.pem", sick.certificate.authority, healthy.certificate.authority)
        issuers = ("--federation-issuer", sick.issuer, "--federation-issuer", healthy.issuer)
        server = Moho(tmp_path / "data", models={}, arguments=(*issuers, "--federation-ca", str(known)))
        begun.extend([server, sick, healthy])
        federated = Federated(server.start())
        # The first is asked for its keys, as it closes the door.
        arns = {issuer.issuer: federated.trusts(issuer.issuer, ["moho"]) for issuer in (healthy, sick)}
        roles = [
            federated.role(name, trust(arns[issuer.issuer])) for name, issuer in (("Sick", sick), ("Healthy", healthy))
        ]
        sick.answer = make_answer(sick)
        return federated, (sick, roles[0]), (healthy, roles[1])

    yield begin
    for each in begun:
        each.end()


HELD = threading.Event()


def slow(issuer):
    def answer(path):
        HELD.wait(WAITING)
        return issuer.well(path)

    return answer


def trickling(issuer):
    def drops():
        while not HELD.wait(0.1):
            yield b" "

    return lambda path: (200, {"content-type": "application/json"}, drops())


def huge(issuer):
    def parts():
        yield b'{"keys":['
        while not HELD.is_set():
            yield b" " * 65536

    return lambda path: issuer.well(path) if path != "/keys" else (200, {"content-type": "application/json"}, parts())


def redirecting(issuer):
    return lambda path: (302, {"location": f"{issuer.issuer}/elsewhere", "content-length": "0"}, [])


def misnamed(issuer):
    return lambda path: issuer.document({"issuer": issuer.issuer + "/", "jwks_uri": f"{issuer.issuer}/keys"})


def with_keys_at(url):
    def make(issuer):
        return lambda path: issuer.document({"issuer": issuer.issuer, "jwks_uri": url})

    return make


UNWELL = {
    "slow": slow,
    "trickling": trickling,
    "huge": huge,
    "redirecting": redirecting,
    "misnamed": misnamed,
    "keys on another host": with_keys_at("https://127.0.0.2:1/keys"),
    "keys on another port": with_keys_at("https://127.0.0.1:22/keys"),
    "keys in a file": with_keys_at("file:///etc/passwd"),
    "keys in the clear": with_keys_at("http://127.0.0.1/keys"),
    "keys of too many": lambda issuer: lambda path: issuer.document(
        {"issuer": issuer.issuer, "jwks_uri": f"{issuer.issuer}/keys", "keys": [issuer.keys.jwk("RS256", False)] * 129}
    ),
    "no keys": lambda issuer: lambda path: (500, {"content-length": "0"}, []),
}


@pytest.mark.parametrize("illness", UNWELL)
def test_an_issuer_that_is_unwell_holds_up_only_its_own(unwell, illness):
    HELD.clear()
    federated, (sick, sick_role), (healthy, healthy_role) = unwell(UNWELL[illness])
    found = {}

    def ask():
        begun = time.monotonic()
        found["refused"] = federated.refused(sick_role, sick.token())
        found["seconds"] = time.monotonic() - begun

    waiting = threading.Thread(target=ask)
    waiting.start()
    try:
        # Meanwhile others come and go.
        while waiting.is_alive():
            assert federated.assume(healthy_role, healthy.token())
            assert federated.admin.get_caller_identity()["Account"] == federated.account
    finally:
        waiting.join(WAITING)
        HELD.set()
    assert found["refused"][:2] == ("IDPCommunicationError", 400), found
    # Who comes next is told at once, and the issuer is not asked again.
    asked = len(sick.asked)
    assert federated.refused(sick_role, sick.token())[0] == "IDPCommunicationError"
    assert len(sick.asked) == asked
    assert federated.moho.memory("VmHWM") < 600 << 20
    federated.moho.assert_unharmed()


def test_many_who_wait_share_one_question(unwell):
    HELD.clear()
    federated, (sick, sick_role), (healthy, healthy_role) = unwell(slow)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(federated.refused_at_once(sick_role, sick.token())[0])) for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    try:
        assert federated.assume(healthy_role, healthy.token())
    finally:
        for thread in threads:
            thread.join(WAITING)
        HELD.set()
    assert set(results) <= {"IDPCommunicationError", "Throttling"} and "IDPCommunicationError" in results
    assert sick.asked == ["/.well-known/openid-configuration"]


def test_known_keys_stay_good_while_their_issuer_is_away(unwell):
    federated, (sick, sick_role), _ = unwell(lambda issuer: issuer.well)
    assert federated.assume(sick_role, sick.token())
    sick.end()
    assert federated.assume(sick_role, sick.token("ES256"))
    unknown = sick.keys.sign(sick.claims(), kid="another")
    assert federated.refused(sick_role, unknown)[0] in ("InvalidIdentityToken", "IDPCommunicationError")
    assert federated.assume(sick_role, sick.token("EdDSA"))


def test_an_issuer_that_nobody_named_is_never_asked(make_moho, tmp_path):
    stranger, named = PlayedIssuer(tmp_path / "stranger"), PlayedIssuer(tmp_path / "named")
    issuer = ("--federation-issuer", named.issuer, "--federation-ca", str(named.certificate.authority))
    federated = Federated(make_moho(models={}, arguments=issuer).start())
    try:
        with pytest.raises(ClientError, match="OpenIdIdpCommunicationError"):
            federated.trusts(stranger.issuer, ["moho"])
        federated.trusts(named.issuer, ["moho"])
        provider = federated.trusts(stranger.issuer, ["moho"])
        arn = federated.role("Stranger", trust(provider))
        assert federated.refused(arn, stranger.token())[:2] == ("InvalidIdentityToken", 400)
        assert stranger.asked == []
    finally:
        stranger.end()
        named.end()


def test_a_weak_key_is_none(unwell):
    """A key that is too short to be trusted signs nothing, though its issuer publishes it."""
    small = rsa.generate_private_key(65537, 1024)
    known = jwt.get_algorithm_by_name("RS256")

    def weak(issuer):
        jwk = known.to_jwk(small.public_key(), as_dict=True) | {"kid": "small", "alg": "RS256"}
        return lambda path: issuer.document({"keys": [jwk]}) if path == "/keys" else issuer.well(path)

    federated, (sick, sick_role), _ = unwell(weak)
    token = jwt.encode(sick.claims(), small, "RS256", headers={"kid": "small"})
    assert federated.refused(sick_role, token)[0] == "InvalidIdentityToken"
