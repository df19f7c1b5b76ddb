"""People log in with a real identity provider, by browser and by device code, and their tools go on from there."""

import configparser
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import jwt
import pytest
from openai import OpenAI

from federating import Federated, authorities, trust
from identity_provider import OidcProvider, Person
from serving import MODEL, Moho, binary

CLIENT = "moho-cli"
REFUSED, IN_THE_WAY, USAGE = 4, 3, 2
PATIENCE = 60
OPENING = r"moho: opening (http://127\.0\.0\.1:\d+/start/[\w-]{43}) \(it leads to https://\S+\)\n"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    # A word that is soon over: what lasts is the refresh token.
    provider = OidcProvider(tmp_path_factory.mktemp("provider"), clients={CLIENT: "ES256"}, id_token_seconds=5)
    yield provider
    provider.end()


@pytest.fixture(scope="module")
def federated(tmp_path_factory, provider):
    folder = tmp_path_factory.mktemp("login")
    known = authorities(folder / "known.pem", provider.certificate.authority)
    server = Moho(folder / "data", arguments=("--federation-issuer", provider.issuer, "--federation-ca", str(known)))
    try:
        yield Federated(server.start())
    finally:
        server.end()


@pytest.fixture(scope="module")
def role(federated, provider):
    arn = federated.trusts(provider.issuer, [CLIENT])
    conditions = {"StringLike": {f"{provider.name}:email": "*@example.com"}}
    return federated.role("Person", trust(arn, conditions))


class Home:
    """A user of its own: a home folder, and nothing of the user who runs the tests."""

    def __init__(self, folder: Path, federated: Federated, provider: OidcProvider, role: str):
        self.folder = folder
        self.provider = provider
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "BROWSER": "true"}
        self.whom = [
            *("--endpoint", federated.moho.url, "--ca-file", str(federated.moho.authority), "--role", role),
            *("--issuer", provider.issuer, "--issuer-ca-file", str(provider.certificate.authority), "--client-id", CLIENT),
        ]

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [str(binary()), "login", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment, text=True, stdin=subprocess.DEVNULL, **pipes)

    def log_in(self, *arguments: str, name: str = "alice") -> str:
        """Logs in with a browser; gives what was printed for the shell."""
        begun = self.start("--browser", *arguments)
        opening = begun.stderr.readline()
        url = re.fullmatch(OPENING, opening)
        assert url, opening + begun.stderr.read()
        page = Person(self.provider, name).log_in(url[1])
        assert page.text == "You are logged in. You may close this page.", page.text
        printed, said = begun.communicate(timeout=PATIENCE)
        assert begun.returncode == 0, said
        return printed

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [str(binary()), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    def process(self, profile: str = "moho", *more: str) -> subprocess.CompletedProcess:
        return self.run("credential-process", "--profile", profile, *more)

    def kept(self, profile: str = "moho") -> Path:
        return self.folder / ".local/state/moho/logins" / f"{profile}.json"

    def tools(self) -> dict[str, str]:
        """What AWS's tools need beside the profile: nothing."""
        return self.environment | {"AWS_PROFILE": "moho", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""}

    def outlive(self, profile: str = "moho") -> None:
        """Lets the kept session come to its end, and the provider's word too."""
        kept = json.loads(self.kept(profile).read_text())
        kept["session"]["ends"] = int(time.time()) + 5
        self.kept(profile).write_text(json.dumps(kept))
        deadline = time.monotonic() + PATIENCE
        while token_ends(kept["id_token"]) > time.time():
            assert time.monotonic() < deadline
            time.sleep(0.1)


def token_ends(token: str) -> int:
    return jwt.decode(token, options={"verify_signature": False})["exp"]


@pytest.fixture
def home(tmp_path, federated, provider, role):
    yield Home(tmp_path, federated, provider, role)
    federated.moho.assert_unharmed()


def exported(lines: str) -> dict[str, str]:
    """What a shell makes of the lines."""
    script = 'eval "$1"; env -0'
    finished = subprocess.run(["sh", "-c", script, "sh", lines], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    return dict(pair.split("=", 1) for pair in finished.stdout.decode().split("\0") if pair)


def test_a_browser_logs_in_and_every_tool_follows(home, federated, role):
    lines = home.log_in(*home.whom)
    shell = exported(lines)
    assert shell.keys() - {"PATH", "PWD", "SHLVL", "_"} == {"AWS_PROFILE", "OPENAI_BASE_URL", "OPENAI_API_KEY", "SSL_CERT_FILE"}
    assert shell["AWS_PROFILE"] == "moho"
    asked = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    aws = ["aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    expected = f"arn:aws:sts::{federated.account}:assumed-role/Person/alice@example.com"
    for command in ([sys.executable, "-c", asked], aws):
        found = subprocess.run(command, env=home.tools(), capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert found.stdout.strip() == expected, found.stderr
    http = httpx2.Client(verify=federated.moho.trust, timeout=PATIENCE, trust_env=False)
    with OpenAI(base_url=shell["OPENAI_BASE_URL"], api_key=shell["OPENAI_API_KEY"], http_client=http) as client:
        assert MODEL in [model.id for model in client.models.list()]
        said = client.responses.create(model=MODEL, input="Hello!", max_output_tokens=16)
        assert said.output_text


def test_a_shell_that_logged_in_keeps_its_own_authorities_and_its_own_aws(home, federated, provider):
    """What is meant for moho goes to moho alone, and whom the shell trusted before it trusts still."""
    home.environment["SSL_CERT_FILE"] = str(provider.certificate.authority)
    lines = home.log_in(*home.whom)
    shell = exported(lines)
    bundle = Path(shell["SSL_CERT_FILE"])
    assert bundle == home.kept().with_suffix(".pem")
    for authority in (provider.certificate.authority, federated.moho.authority):
        assert authority.read_text().strip() in bundle.read_text()
    # The OpenAI SDK as it is, with nothing but what was printed.
    asks = "from openai import OpenAI; print([model.id for model in OpenAI().models.list()])"
    found = subprocess.run(
        [sys.executable, "-c", asks], env=home.environment | shell, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert MODEL in found.stdout, found.stderr
    home.environment["SSL_CERT_FILE"] = str(bundle)
    again = exported(home.process("moho", "--format", "env").stdout)
    assert bundle.read_text().count("BEGIN CERTIFICATE") == 2 and again["SSL_CERT_FILE"] == str(bundle)
    del home.environment["SSL_CERT_FILE"]
    assert exported(home.process("moho", "--format", "env").stdout)["SSL_CERT_FILE"] == str(bundle)
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    if system.exists():
        assert system.read_text().strip() in bundle.read_text()
    # Another profile's tools go where they went before.
    config = home.folder / ".aws/config"
    config.write_text(config.read_text() + "\n[profile work]\nregion = eu-west-1\n")
    where = "import boto3; print(boto3.Session(profile_name='work').client('s3', aws_access_key_id='x', aws_secret_access_key='y').meta.endpoint_url)"
    asked = subprocess.run(
        [sys.executable, "-c", where], env=home.environment | shell, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "amazonaws.com" in asked.stdout, asked.stderr


def test_what_is_kept_is_private_and_what_is_written_is_a_profile(home, federated):
    config = home.folder / ".aws/config"
    config.parent.mkdir()
    config.write_text("[default]\nregion = eu-west-9\n\n[profile moho]\noutput = json\n")
    home.log_in(*home.whom, "--region", "us-east-1")
    kept = home.kept()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert [path.name for path in kept.parent.iterdir() if path.suffix not in (".json", ".lock", ".pem")] == []
    parsed = configparser.RawConfigParser()
    parsed.read(config)
    assert dict(parsed["profile moho"]) == {
        "output": "json",
        "region": "us-east-1",
        "endpoint_url": federated.moho.url,
        "ca_bundle": str(federated.moho.authority),
        "credential_process": f"{binary().resolve()} credential-process --profile moho",
    }
    assert parsed["default"]["region"] == "eu-west-9"
    assert "ASIA" not in config.read_text()
    kept.chmod(0o644)
    refused = home.process()
    assert refused.returncode == IN_THE_WAY and "chmod 600" in refused.stderr


def test_a_code_logs_in_on_another_device(home, provider, federated):
    begun = home.start("--device", *home.whom, "--format", "process")
    told = begun.stderr.readline() + begun.stderr.readline()
    assert f"{provider.issuer}/device and enter the code" not in told
    url = re.search(rf"or open ({re.escape(provider.issuer)}/\S+)", told)
    assert url and "enter the code" in told, told
    Person(provider, "bob").enter_code(url[1])
    printed, said = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == 0, said
    credentials = json.loads(printed)
    assert credentials["Version"] == 1
    found = federated.client("sts", credentials).get_caller_identity()["Arn"]
    assert found.endswith(":assumed-role/Person/bob@example.com")


def test_a_login_is_remembered_but_for_the_person(home):
    home.log_in(*home.whom, "--duration-seconds", "900")
    home.log_in("--session-name", "again", name="carol")
    printed = json.loads(home.process().stdout)
    kept = json.loads(home.kept().read_text())
    assert kept["session"]["access_key_id"] == printed["AccessKeyId"]
    assert kept["session"]["principal_arn"].endswith("/Person/again") and kept["duration_seconds"] == 900


def test_credentials_are_the_same_until_they_end_and_then_others(home, federated):
    home.log_in(*home.whom)
    first = home.process()
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told.keys() == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert json.loads(home.process().stdout) == told
    for _ in range(2):
        before = json.loads(home.kept().read_text())
        home.outlive()
        renewed = home.process()
        assert renewed.returncode == 0, renewed.stderr
        after = json.loads(home.kept().read_text())
        assert json.loads(renewed.stdout)["AccessKeyId"] != before["session"]["access_key_id"]
        assert after["refresh_token"] != before["refresh_token"], "the provider lets each be used but once"
        assert federated.client("sts", json.loads(renewed.stdout)).get_caller_identity()
    lines = home.process("moho", "--format", "env")
    assert exported(lines.stdout)["OPENAI_API_KEY"].startswith("bedrock-api-key-")


def test_many_tools_at_once_renew_once(home):
    """A refresh token is used up by its use; whoever used one twice would be logged out."""
    home.log_in(*home.whom)
    home.outlive()
    found: list[subprocess.CompletedProcess] = []
    threads = [threading.Thread(target=lambda: found.append(home.process())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.returncode for each in found] == [0] * 4, found
    assert len({each.stdout for each in found}) == 1
    home.outlive()
    assert home.process().returncode == 0


def test_who_cannot_be_renewed_is_told_to_log_in(home):
    home.log_in(*home.whom, "--scope", "openid")
    assert json.loads(home.kept().read_text())["refresh_token"] is None
    home.outlive()
    refused = home.process()
    assert refused.returncode == REFUSED and refused.stdout == ""
    assert "run `moho login --profile moho`" in refused.stderr
    aws = subprocess.run(
        ["aws", "sts", "get-caller-identity"], env=home.tools(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert aws.returncode != 0 and "moho login --profile moho" in aws.stderr
    assert home.process("nobody").returncode == REFUSED


def test_a_refresh_token_that_was_taken_back(home):
    home.log_in(*home.whom)
    kept = json.loads(home.kept().read_text())
    home.kept().write_text(json.dumps(kept | {"refresh_token": "taken-back"}))
    home.outlive()
    refused = home.process()
    assert refused.returncode == REFUSED and "run `moho login" in refused.stderr
    assert "taken-back" not in refused.stderr


def test_who_may_not_have_the_role_gets_no_profile(home, federated):
    absent = f"arn:aws:iam::{federated.account}:role/Absent"
    begun = home.start("--browser", *home.whom, "--role", absent)
    assert begun.wait(PATIENCE) == USAGE, "a flag is given once"
    whom = [absent if part.startswith("arn:") else part for part in home.whom]
    begun = home.start("--browser", *whom)
    [url] = re.findall(OPENING, begun.stderr.readline())
    Person(home.provider, "alice").log_in(url)
    printed, said = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == REFUSED and printed == ""
    assert "AccessDenied" in said and "Not authorized to perform sts:AssumeRoleWithWebIdentity" in said
    assert f"The trust policy of {absent} has to allow" in said
    assert f"oidc-provider/{home.provider.name}" in said and f"{home.provider.name}:aud = {CLIENT}" in said
    assert f"{home.provider.name}:sub = alice" in said, said
    assert not home.kept().exists() and not (home.folder / ".aws/config").exists()


def test_another_tools_profile_is_left_alone(home):
    config = home.folder / ".aws/config"
    config.parent.mkdir()
    text = "[profile moho]\nsso_session = work\n"
    config.write_text(text)
    refused = home.run("login", "--browser", *home.whom)
    assert refused.returncode == IN_THE_WAY and "is not moho's" in refused.stderr
    assert config.read_text() == text


def test_a_browser_that_brings_something_else_is_turned_away(home):
    """Whoever sends a browser to the waiting login needs its state; who declines is told so."""
    started = home.folder / "started"
    program = home.folder / "browser"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {started}.new && mv {started}.new {started}\n')
    program.chmod(0o700)
    home.environment["BROWSER"] = str(program)
    begun = home.start("--browser", *home.whom)
    [start] = re.findall(OPENING, begun.stderr.readline())
    deadline = time.monotonic() + PATIENCE
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # What other users of the machine can see leads nowhere for them.
    assert started.read_text() == f"{start}\n"
    led = httpx2.get(start, trust_env=False, follow_redirects=False)
    assert led.status_code == 302 and led.headers["cache-control"] == "no-store"
    url = led.headers["location"]
    back = re.search(r"redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A(\d+)%2Fcallback", url)
    state = re.search(r"[?&]state=([\w-]+)", url)
    assert back and state and "code_challenge_method=S256" in url
    there = f"http://127.0.0.1:{back[1]}"
    with httpx2.Client(base_url=there, trust_env=False, timeout=PATIENCE) as browser:
        for wrong in ("/", "/start", "/start/x", "/callback", "/callback?code=x&state=y", "/callback?code=x"):
            assert browser.get(wrong).status_code == 404
        foreign = browser.get(f"/callback?code=x&state={state[1]}&iss=https%3A%2F%2Fevil.example")
        assert foreign.status_code == 404, "an answer of another provider"
        assert begun.poll() is None
        browser.get(f"/callback?error=access_denied&state={state[1]}")
    printed, said = begun.communicate(timeout=PATIENCE)
    assert begun.returncode == REFUSED and "access_denied" in said and printed == ""


WRONG = [
    (["--issuer", "https://127.0.0.1:1"], IN_THE_WAY, "does not describe itself"),
    (["--issuer", "http://127.0.0.1"], USAGE, "--issuer"),
    (["--endpoint", "http://127.0.0.1"], USAGE, "--endpoint"),
    (["--scope", "profile"], USAGE, "openid"),
    (["--profile", "../x"], USAGE, "--profile"),
]


@pytest.mark.parametrize("change, code, words", WRONG, ids=[row[0][1] for row in WRONG])
def test_what_cannot_go_well_is_told(home, change, code, words):
    whom = dict(zip(home.whom[::2], home.whom[1::2], strict=True)) | {change[0]: change[1]}
    refused = home.run("login", "--browser", *[part for pair in whom.items() for part in pair])
    assert refused.returncode == code and words in refused.stderr, refused.stderr


def test_an_issuer_is_the_same_to_the_letter(home, provider):
    whom = [provider.issuer + "/" if part == provider.issuer else part for part in home.whom]
    refused = home.run("login", "--browser", *whom)
    assert refused.returncode == IN_THE_WAY and "its issuer is another" in refused.stderr, refused.stderr
