"""Fixed credentials for tools on a developer's machine: taken by real clients, refused elsewhere, shown nowhere."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from serving import Credentials, binary
from signing import bearer_key
from sts import client, refused

SECRET = "zanzibar-secret-of-a-developer"
ACCOUNT = "000000000042"
FIXED = f"test:{SECRET}:{ACCOUNT}"
KEYS = {"AccessKeyId": "test", "SecretAccessKey": SECRET}


def seen(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")


def test_local_tools_act_as_the_administrator(make_moho, tmp_path):
    moho = make_moho(arguments=("--dev-static-credentials", FIXED), models={}).start()
    found = client(moho, "sts", KEYS).get_caller_identity()
    assert found["Account"] == ACCOUNT
    assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/dev-static-credentials"
    # The bootstrap door makes sessions of the same account.
    assert client(moho, "sts").get_caller_identity()["Account"] == ACCOUNT

    environment = moho.aws_environment(tmp_path, None)
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET}
    printed = subprocess.run(
        ["aws", "sts", "get-caller-identity", "--output", "json"], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert json.loads(printed.stdout) == {name: found[name] for name in ("UserId", "Account", "Arn")}

    session = client(moho, "sts", KEYS).assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/Developer", RoleSessionName="probe")["Credentials"]
    assert client(moho, "sts", session).get_caller_identity()["Arn"].endswith("assumed-role/Developer/probe")

    key = bearer_key(Credentials("test", SECRET, None, "", "us-east-1"))
    with moho.http({"Authorization": f"Bearer {key}"}) as http:
        assert http.get("/v1/models").status_code == 200

    wrong = [
        (KEYS | {"SecretAccessKey": SECRET + "x"}, "SignatureDoesNotMatch"),
        (KEYS | {"AccessKeyId": "test2"}, "InvalidClientTokenId"),
        (KEYS | {"SessionToken": session["SessionToken"]}, "InvalidClientTokenId"),
        ({**session, "SessionToken": None}, "InvalidClientTokenId"),
    ]
    for credentials, code in wrong:
        assert refused(client(moho, "sts", credentials).get_caller_identity).code == code

    assert SECRET not in seen(moho.pid) and "***" in seen(moho.pid)
    assert moho.stop() == 0
    log = moho.log_text()
    assert SECRET not in log
    assert "fixed credentials are taken: whoever on this machine knows them acts as Admin" in log
    for path in moho.data.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path

    moho.arguments = ()
    moho.start()
    assert refused(client(moho, "sts", KEYS).get_caller_identity).code == "InvalidClientTokenId"
    assert "fixed credentials are taken" not in moho.log_text().removeprefix(log)


def serve(folder, *arguments, variables=None):
    command = [str(binary()), "serve", "--data", str(folder), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | (variables or {})
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "127.0.0.1:0,192.0.2.7:8443"])
def test_other_machines_are_refused_them(tmp_path, listen):
    ended = serve(tmp_path / "data", "--listen", listen, "--dev-static-credentials", FIXED)
    assert ended.returncode == 2
    assert "every address to serve on has to be a loopback one" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert not (tmp_path / "data" / "root.key").exists()


def test_what_is_no_credential_is_refused_without_repeating_it(tmp_path):
    for text in [SECRET, f"test:{SECRET}", f"test:{SECRET}:42", f"a b:{SECRET}:{ACCOUNT}", f"test:{SECRET} :{ACCOUNT}"]:
        for ended in [
            serve(tmp_path / "data", "--dev-static-credentials", text),
            serve(tmp_path / "data", variables={"MOHO_DEV_STATIC_CREDENTIALS": text}),
        ]:
            assert ended.returncode == 2 and "ID:SECRET:ACCOUNT" in ended.stderr
            assert "zanzibar" not in ended.stderr + ended.stdout


def test_help_does_not_show_what_the_variable_holds(tmp_path):
    ended = serve(tmp_path / "data", "--help", variables={"MOHO_DEV_STATIC_CREDENTIALS": FIXED})
    assert ended.returncode == 0 and "MOHO_DEV_STATIC_CREDENTIALS" in ended.stdout
    assert "zanzibar" not in ended.stdout + ended.stderr


def test_an_account_that_is_not_there_is_refused(make_moho):
    moho = make_moho(models={}).start()
    account = client(moho, "sts").get_caller_identity()["Account"]
    assert moho.stop() == 0
    ended = serve(moho.data, "--listen", "127.0.0.1:0", "--dev-static-credentials", FIXED)
    assert ended.returncode == 3, ended.stderr
    assert f"account {ACCOUNT} has no role Admin here" in ended.stderr and account in ended.stderr
    assert SECRET not in ended.stderr
    moho.arguments = ("--dev-static-credentials", f"test:{SECRET}:{account}")
    moho.start()
    assert client(moho, "sts", KEYS).get_caller_identity()["Account"] == account
