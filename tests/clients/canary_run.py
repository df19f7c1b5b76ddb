"""One server that has seen the marker in every case there is, and all the places around it where it could have come to rest."""

import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import botocore.exceptions
import httpx2

import canary_cases
import canary_s3
from asking import asked, try_all
from bedrock import endless_form
from canary import MARKER, Places, Shared, found, spellings
from canary_cases import Routes
from canary_inference import send_everywhere, send_to_bedrock, send_wrongly, send_wrongly_to_bedrock
from canary_logs import GROUP, send_to_logs
from canary_members import Recorder
from canary_prompts import VARIABLES, send_to_conversations, send_to_prompts
from invocation_logs import Logs
from observing import Collector, attributes, eventually, scrape
from route_world import World, openai_routes, two_accounts
from serving import MODEL, Credentials, binary

NO_LIMIT = resource.RLIM_INFINITY
# What is looked for.
SECRETS = spellings() | canary_s3.digests()


class Watcher:
    """Looks all the time, for what is there for a moment only: at temporary files, and at what the server has open, which may have
    no name. Now and then at everything that rests."""

    # Rounds of a hundredth of a second after which everything is looked at.
    EVERYTHING = 200

    def __init__(self, temporary: Path, places: Places):
        self.temporary, self.places = Places([temporary], shared=places.shared), places
        self.complaints: list[str] = []
        self.rounds = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        try:
            self._look_on()
        except OSError as error:
            self.complaints.append(f"whoever looked stopped: {error}")

    def _look_on(self) -> None:
        while not self.is_over.wait(0.01):
            self.complaints += found(self.temporary.at_rest(), SECRETS) + found(self.places.unnamed(), SECRETS)
            if self.rounds % self.EVERYTHING == 0:
                self.complaints += found(self.places.at_rest(), SECRETS) + self.places.in_swap()
            self.rounds += 1

    def end(self) -> list[str]:
        self.is_over.set()
        self.thread.join()
        assert self.rounds > 0
        return self.complaints


class Halved:
    """A body of which one half is sent at once, and the rest when somebody says so."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0
        self.is_halved, self.go_on = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        if self.at > len(self.data) // 2:
            self.is_halved.set()
            self.go_on.wait(60)
        end = len(self.data) if size is None or size < 0 else self.at + size
        piece, self.at = self.data[self.at : end], min(end, len(self.data))
        return piece

    def pieces(self) -> bytes:
        return self.read(1 + len(self.data) // 2)

    def seek(self, to: int, whence: int = 0) -> int:
        self.at = (0, self.at, len(self.data))[whence] + to
        return self.at

    def tell(self) -> int:
        return self.at


class CanaryRun:
    """What was sent, what was answered to whom, and where the marker was when."""

    def __init__(self, world: World, collector: Collector, folder: Path):
        self.world, self.collector, self.folder = world, collector, folder
        self.server = world.server
        self.temporary, self.here, self.backups = folder / "temporary", folder / "here", folder / "backups"
        self.recorder, self.others = Recorder(), Recorder()
        self.routes: list[Routes] = []
        # What was kept, by the words in paths that its routes have.
        self.kept: dict[str, str] = {}
        self.prompt, self.shelf = "", canary_s3.Shelf(canary_s3.BUCKET, "small")
        self.clients: dict[str, object] = {}
        self.places = Places(
            [self.server.data, self.server.log, self.temporary, self.here, self.backups],
            lambda: self.server.pid,
            {"the metrics page": lambda: scrape(self.server).encode()},
            [collector],
            self.others.replies,
            Shared("/tmp", "/var/tmp", "/dev/shm", "/run/shm"),
        )

    def client(self, service: str):
        """The administrator's, whose requests are recorded."""
        if service not in self.clients:
            self.clients[service] = self.recorder.watch(self.world.client(service, self.world.admin))
        return self.clients[service]

    def http(self, credentials: Credentials) -> httpx2.Client:
        return self.server.http({"Authorization": f"Bearer {credentials.bearer_token}"})

    def look(self) -> list[str]:
        """Everywhere, while it runs."""
        return found(self.places.at_rest(), SECRETS) + found(self.places.going_out(), SECRETS) + self.places.in_swap()

    def look_closely(self) -> list[str]:
        """Into files and databases, once it does not."""
        return found(self.places.at_rest(), SECRETS) + found(self.places.in_databases(), SECRETS)

    # What is sent.

    def send(self) -> list[str]:
        """Each case; gives what was found meanwhile."""
        watcher = Watcher(self.temporary, self.places)
        try:
            self.send_cases()
        finally:
            complaints = watcher.end()
        return complaints

    def send_cases(self) -> None:
        # From here on, what is said to models waits to be logged, too, and then is.
        self.logs = Logs(self.server, "canary-call-logs").make().put()
        answers = send_everywhere(self.server) + send_to_bedrock(self.server, self.client("bedrock-runtime"))
        assert any(MARKER in answer for answer in answers), "the model never said the marker, so its words were not tried"
        key = self.world.kms_key
        arn = f"arn:aws:kms:{self.world.admin.region}:{self.world.account}:key/{key}"
        canary_cases.send_to_kms(self.client("kms"), key)
        canary_cases.send_to_simulators(self.client("iam"), f"arn:aws:iam::{self.world.account}:role/Clerk")
        self.prompt = send_to_prompts(self.client("bedrock-agent"), self.client("bedrock-runtime"), arn)
        send_to_logs(self.client("logs"), arn)
        self.client("s3").create_bucket(Bucket=canary_s3.BUCKET)
        canary_s3.want_access_logs(self.client("s3"), self.world.account)
        self.shelf = canary_s3.send_to_s3(self.client("s3"), arn)
        with self.server.http() as http:
            canary_s3.send_presigned(http, self.server.url, self.world.admin)
        with self.http(self.world.admin) as http:
            for prefix in ("/v1", "/openai/v1"):
                self.routes.append(Routes(http, prefix))
                self.kept["responses"] = self.routes[-1].send()
                self.kept["conversations"] = send_to_conversations(self.routes[-1], self.prompt)
            self.routes.append(canary_cases.send_to_accounts_routes(http, key))
        send_wrongly(self.server)
        send_wrongly_to_bedrock(self.server)
        said = eventually("what was said is logged", self.logs.records)
        assert any(MARKER in str(record) for record in said), "no record has the marker, so the log was not tried"

    def ask_as_others(self) -> None:
        """Those whose words they are not ask for everything that is there, and are answered."""
        for credentials in (self.world.stranger, self.world.nobody):
            for *_, answer in try_all(self.world, credentials, watch=self.others.watch):
                self.others.replies.append(("a reply", answer.text.encode()))
            canary_s3.ask_s3_for_everything(self.others.watch(self.world.client("s3", credentials)), self.shelf)
            agent, runtime = (self.others.watch(self.world.client(name, credentials)) for name in ("bedrock-agent", "bedrock-runtime"))
            arn = f"arn:aws:bedrock:{self.world.admin.region}:{self.world.account}:prompt/{self.prompt}"
            for prompt in (self.prompt, arn):
                for operation in ("GetPrompt", "ListPrompts", "CreatePromptVersion", "DeletePrompt"):
                    asked(agent, operation, {"promptIdentifier": prompt})
            for operation in ("Converse", "ConverseStream"):
                asked(runtime, operation, {"modelId": arn, "promptVariables": {name: {"text": "x"} for name in VARIABLES}})
            logs = self.others.watch(self.world.client("logs", credentials))
            for operation in ("FilterLogEvents", "DescribeLogStreams", "DescribeMetricFilters"):
                asked(logs, operation, {"logGroupName": GROUP})
            asked(logs, "GetLogEvents", {"logGroupName": GROUP, "logStreamName": "one"})
            with self.http(credentials) as http:
                self.ask_routes(http)

    def ask_routes(self, http: httpx2.Client) -> None:
        for method, path in openai_routes():
            named = path.replace("{id}", self.kept["responses"]).replace("{conversation}", self.kept["conversations"])
            named = named.replace("{item}", f"msg_{'0' * 48}").replace("{model}", MODEL).replace("{key}", self.world.kms_key)
            body = {"model": MODEL, "input": "Hi!", "previous_response_id": self.kept["responses"]} if method == "POST" else None
            answer = http.request(method, named, json=body)
            heads = str(answer.headers).encode()
            self.others.replies.append((f"the reply to {method} {path}", heads + answer.content))

    def ask_everything(self) -> None:
        """Every operation of the service models by the administrator; some of them end what is there. The model is agreed to again."""
        canary_cases.ask_everything(self.world, self.recorder, self.client)
        canary_s3.ask_s3_for_everything(self.client("s3"), self.shelf)
        bedrock = self.world.client("bedrock", self.world.admin)
        [offer] = bedrock.list_foundation_model_agreement_offers(modelId=MODEL)["offers"]
        bedrock.create_foundation_model_agreement(modelId=MODEL, offerToken=offer["offerToken"])

    def wait_for_traces(self) -> None:
        """Until the last request is in a trace."""
        with self.http(self.world.admin) as http:
            last = http.get("/v1/models").headers["x-request-id"]
        eventually("the last trace", lambda: any(attributes(span).get("moho.request_id") == last for span in self.collector.spans()))

    @contextmanager
    def in_the_middle(self) -> Iterator[None]:
        """While a long answer is being written, and while half of a request and half of an object have come."""
        long = {"messages": [{"role": "user", "content": [{"text": MARKER}]}], "inferenceConfig": {"maxTokens": 4000}}
        client = self.world.client("bedrock-runtime", self.world.admin)
        stream = client.converse_stream(modelId=MODEL, outputConfig=endless_form(), **long)["stream"]
        next(iter(stream))
        request = f'{{"model": "{MODEL}", "input": "{MARKER}'.encode() * 100
        bodies = [Halved(request + b" " * 1000), Halved(canary_s3.words(6 * canary_s3.MIB))]
        s3 = self.world.client("s3", self.world.admin)

        def ask() -> None:
            # The server may be gone before the rest is.
            with suppress(httpx2.TransportError), self.http(self.world.admin) as http:
                http.post("/v1/responses", content=iter(bodies[0].pieces, b""))

        def put() -> None:
            with suppress(botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                s3.put_object(Bucket=canary_s3.BUCKET, Key="halved", Body=bodies[1])

        threads = [threading.Thread(target=send, daemon=True) for send in (ask, put)]
        for thread in threads:
            thread.start()
        try:
            assert all(body.is_halved.wait(60) for body in bodies)
            yield
        finally:
            for body in bodies:
                body.go_on.set()
            for thread in threads:
                thread.join(60)
            stream.close()

    def back_up(self) -> None:
        """All of it, beside the server."""
        self.say("backup", self.backups, "--data", self.server.data)

    def say(self, *arguments: object, role: Credentials | None = None, expected: tuple[int, ...] = (0,)) -> None:
        """A command of the operator's or an administrator's, whose words are read by others."""
        environment = dict(self.server.around["env"])
        if role is not None:
            environment |= self.server.aws_environment(self.folder, role)
        command = [str(binary()), *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
        assert done.returncode in expected, (arguments, done.stdout, done.stderr)
        self.others.replies.append((f"what `moho {arguments[0]}` says", (done.stdout + done.stderr).encode()))

    def look_after_it(self) -> None:
        """What an operator does beside the server: looks through all of it, and lists its keys."""
        self.say("doctor", "--scrub", "--data", self.server.data, expected=(0, 1))
        self.say("doctor", "--scrub", "--json", "--data", self.server.data, expected=(0, 1))
        self.say("keys", role=self.world.admin)

    def restore(self) -> None:
        """The backup, elsewhere: what is said of it, and what is made of it. It takes the root key of the original."""
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        for name in ("root.key",):
            (elsewhere / name).write_bytes((self.server.data / name).read_bytes())
            (elsewhere / name).chmod(0o600)
        newest = max(path for path in self.backups.iterdir() if (path / "manifest").exists())
        self.say("restore", newest, "--data", elsewhere, "--accept-rollback")
        self.places.folders.append(elsewhere)

    # What ends it.

    def erase(self) -> None:
        """Everything that was kept."""
        s3, agent = self.client("s3"), self.client("bedrock-agent")
        self.client("logs").delete_log_group(logGroupName=GROUP)
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=self.shelf.bucket):
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                named = {"Key": one["Key"], "VersionId": one["VersionId"], "BypassGovernanceRetention": True}
                s3.delete_object(Bucket=self.shelf.bucket, **named)
        for page in agent.get_paginator("list_prompts").paginate():
            for prompt in page["promptSummaries"]:
                agent.delete_prompt(promptIdentifier=prompt["id"])
        with self.http(self.world.admin) as http:
            self.routes.append(Routes(http, "/v1"))
            assert self.routes[-1].ask("DELETE /content").status_code == 200
            for kind, name in self.kept.items():
                assert http.get(f"/v1/{kind}/{name}").status_code == 404

    def force_a_core(self) -> tuple[int, bool]:
        """Has it abort with all limits on core files lifted from outside; gives the signal it died of, and whether the kernel says
        that it dumped its memory."""
        pid = self.server.pid
        # Whoever has the capability may raise what the server has lowered for itself.
        with suppress(PermissionError):
            resource.prlimit(pid, resource.RLIMIT_CORE, (NO_LIMIT, NO_LIMIT))
        os.kill(pid, signal.SIGABRT)
        _, status = os.waitpid(pid, 0)
        self.server.process.returncode = -os.WTERMSIG(status)
        return os.WTERMSIG(status), os.WCOREDUMP(status)


@contextmanager
def canary_run(folder: Path) -> Iterator[CanaryRun]:
    for name in ("temporary", "here", "backups"):
        (folder / name).mkdir()
    collector = Collector()
    arguments = ("--log", "trace", "--otlp-endpoint", collector.url, "--metrics-listen", "127.0.0.1:0")
    environment = os.environ | {"TMPDIR": str(folder / "temporary")}
    # What a shell allows it; it allows itself less.
    limits = {resource.RLIMIT_CORE: resource.getrlimit(resource.RLIMIT_CORE)[1]}
    try:
        with two_accounts(folder, arguments=arguments, limits=limits, env=environment, cwd=folder / "here") as world:
            yield CanaryRun(world, collector, folder)
    finally:
        collector.close()
