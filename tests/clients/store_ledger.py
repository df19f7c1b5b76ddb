"""Objects, conversations and prompts as somebody knows them who has only the answers: every change that was acknowledged, and the one that
was not.

An owner changes things of its own, one call after the other, and notes what each has to be afterwards. A call whose answer never
came leaves a doubt: then the things are wholly as before it or wholly as after it, and `Owner.settle` finds out which.
"""

import random
from dataclasses import replace

import botocore.exceptions
import httpx2

from soaking import Unanswered, ask
from store_shapes import MIB, SIZES, UNKNOWN, WEIGHTS, Change, Content, Seen, Version, digest, fits, shown

MOST_KEYS, MOST_VERSIONS, MOST_CONVERSATIONS, MOST_PROMPTS = 10, 5, 3, 3
PLAIN, KEPT = "plain", "kept"
GONE = (None, ())
# OpenAI's words for what the server cannot, and AWS's.
TELLING = {"service_unavailable": "ServiceUnavailable", "server_error": "InternalError"}


class Owner:
    """Changes things of its own, in one bucket that keeps versions and one that does not, and knows what each has to be."""

    # Every change there is, and what asks for it.
    CHANGES = {
        "PutObject": "put",
        "PutObject (over another)": "put_over",
        "PutObject (if there is none)": "put_new",
        "PutObjectTagging": "tag",
        "CopyObject": "copy",
        "DeleteObject": "delete",
        "DeleteObject (a version)": "delete_version",
        "DeleteObjects": "delete_many",
        "CreateMultipartUpload": "begin",
        "UploadPart": "part",
        "CompleteMultipartUpload": "complete",
        "AbortMultipartUpload": "abort",
    }
    TALKS = {
        "create a conversation": "talk",
        "add an item": "say",
        "update a conversation": "note",
        "delete a conversation": "forget",
    }
    PROMPTS = {
        "CreatePrompt": "draft",
        "UpdatePrompt": "redraft",
        "CreatePromptVersion": "publish",
        "DeletePrompt (a version)": "withdraw",
        "DeletePrompt": "discard",
    }

    def __init__(self, name: str, seed: int, s3, http: httpx2.Client | None = None, agent=None):
        self.name = name
        self.chance = random.Random(seed)
        self.things: dict[tuple, object] = {}
        # The contents of parts, by upload and number, and their ETags.
        self.parts: dict[str, dict[int, tuple[Content, str]]] = {}
        self.doubt: Change | None = None
        self.touched: set[tuple] = set()
        self.count = 0
        # How often what it writes is how large.
        self.weights = WEIGHTS
        self.done: dict[str, int] = {}
        # What nobody answered, and what had become of it.
        self.doubts: list[tuple[str, str]] = []
        self.meet(s3, http, agent)
        for kind in (PLAIN, KEPT):
            s3.create_bucket(Bucket=self.bucket(kind))
        s3.put_bucket_versioning(Bucket=self.bucket(KEPT), VersioningConfiguration={"Status": "Enabled"})

    def meet(self, s3, http: httpx2.Client | None, agent=None) -> None:
        """Goes on with a server that was started anew."""
        self.s3, self.http, self.agent, self.seen = s3, http, agent, Seen(s3, http, agent)

    @property
    def doing(self) -> str:
        return self.doubt.name if self.doubt else "a look"

    def bucket(self, kind: str) -> str:
        return f"{self.name}-{kind}"

    def changes(self) -> dict[str, str]:
        talks = self.TALKS if self.http is not None else {}
        return self.CHANGES | talks | (self.PROMPTS if self.agent is not None else {})

    def word(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    def content(self) -> Content:
        return Content(self.chance.getrandbits(48), self.chance.choices(SIZES, self.weights)[0])

    def of_kind(self, kind: str) -> list[tuple]:
        """Things of a kind that are there, in an order of chance."""
        found = [thing for thing, shape in self.things.items() if thing[0] == kind and shape not in GONE]
        self.chance.shuffle(found)
        return found

    # What is asked for.

    def wish(self, name: str) -> Change | None:
        """A change of this name, if there is a thing that it is for."""
        change = getattr(self, self.changes()[name])()
        if change:
            change.name = name
        return change

    def any_change(self) -> Change:
        names = list(self.changes())
        # Most of what there is to do is writing objects.
        names += [name for name in self.CHANGES if name.startswith(("PutObject", "UploadPart", "Complete"))]
        self.chance.shuffle(names)
        return next(change for change in map(self.wish, names) if change)

    def new_place(self) -> tuple:
        kind = self.chance.choice([PLAIN, KEPT])
        return "object", self.bucket(kind), f"{self.chance.choice(['a/', 'b/c/', ''])}{self.word()}"

    def keeps(self, thing: tuple) -> bool:
        return thing[1].endswith(KEPT)

    def written(self, thing: tuple, version: Version) -> tuple:
        """The versions once this one is there as well."""
        before = self.things.get(thing) or ()
        return (version, *before) if self.keeps(thing) else (replace(version, name="null"),)

    def is_full(self, thing: tuple) -> bool:
        return len(self.things[thing]) >= MOST_VERSIONS

    def _put(self, thing: tuple, **more) -> Change:
        content, note, tags = self.content(), self.word(), {f"tag{self.chance.randrange(3)}": self.word()}
        body = content.bytes()
        version = Version(UNKNOWN, digest(body), note, frozenset(tags.items()))
        asked = {"Body": body, "Metadata": {"note": note}, "Tagging": "&".join(f"{name}={value}" for name, value in tags.items())}
        return self._of(thing, self.s3.put_object, self.written(thing, version), **asked, **more)

    def _of(self, thing: tuple, call, after, **arguments) -> Change:
        return Change("", call, {"Bucket": thing[1], "Key": thing[2], **arguments}, {thing: after})

    def put(self) -> Change | None:
        return self._put(self.new_place()) if len(self.of_kind("object")) < MOST_KEYS else self.put_over()

    def put_new(self) -> Change | None:
        return self._put(self.new_place(), IfNoneMatch="*") if len(self.of_kind("object")) < MOST_KEYS else None

    def put_over(self) -> Change | None:
        things = [thing for thing in self.of_kind("object") if not self.is_full(thing)]
        return self._put(things[0]) if things else None

    def with_content(self) -> list[tuple]:
        """Objects whose newest version is no delete marker."""
        return [thing for thing in self.of_kind("object") if self.things[thing][0].digest is not None]

    def tag(self) -> Change | None:
        for thing in self.with_content()[:1]:
            tags = {"tagged": self.word()}
            first, *others = self.things[thing]
            after = (replace(first, tags=frozenset(tags.items())), *others)
            wish = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
            return self._of(thing, self.s3.put_object_tagging, after, Tagging=wish)
        return None

    def copy(self) -> Change | None:
        for source in self.with_content()[:1]:
            others = [thing for thing in self.of_kind("object") if thing != source and not self.is_full(thing)]
            if len(others) + 1 < MOST_KEYS:
                others = [self.new_place()]
            # Metadata and tags go along.
            version = replace(self.things[source][0], name=UNKNOWN)
            wish = {"CopySource": {"Bucket": source[1], "Key": source[2]}}
            return self._of(others[0], self.s3.copy_object, self.written(others[0], version), **wish) if others else None
        return None

    def delete(self) -> Change | None:
        things = [thing for thing in self.with_content() if not self.keeps(thing) or not self.is_full(thing)]
        for thing in things[:1]:
            after = (Version(UNKNOWN, None), *self.things[thing]) if self.keeps(thing) else ()
            return self._of(thing, self.s3.delete_object, after)
        return None

    def delete_version(self) -> Change | None:
        kept = [thing for thing in self.of_kind("object") if self.keeps(thing)]
        for thing in sorted(kept, key=lambda thing: -len(self.things[thing]))[:1]:
            victim = self.chance.choice(self.things[thing])
            after = tuple(version for version in self.things[thing] if version != victim)
            return self._of(thing, self.s3.delete_object, after, VersionId=victim.name)
        return None

    def delete_many(self) -> Change | None:
        """Each of them is deleted or is not: they are no one change, but those that are acknowledged are gone."""
        plain = [thing for thing in self.with_content() if not self.keeps(thing)][:1]
        for thing in plain:
            wish = {"Objects": [{"Key": thing[2]}], "Quiet": False}
            return Change("", self.s3.delete_objects, {"Bucket": thing[1], "Delete": wish}, {thing: ()}, self._deleted)
        return None

    @staticmethod
    def _deleted(answer: dict) -> None:
        for error in answer.get("Errors", []):
            # It is told in a list of what failed, of which there is one.
            raise botocore.exceptions.ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 503}}, "DeleteObjects")
        assert answer["Deleted"], answer

    # Multipart uploads.

    def begin(self) -> Change | None:
        if len(self.of_kind("upload")) >= 2:
            return None
        _, bucket, key = self.new_place()
        note = self.word()

        def then(answer: dict) -> None:
            thing = ("upload", bucket, key, answer["UploadId"])
            self.things[thing] = frozenset()
            self.parts[answer["UploadId"]] = {0: (note, "")}

        # Who does not hear its name finds it by its key: `settle` gives it up.
        return Change("", self.s3.create_multipart_upload, {"Bucket": bucket, "Key": key, "Metadata": {"note": note}}, {}, then)

    def part(self) -> Change | None:
        for thing in self.of_kind("upload")[:1]:
            _, bucket, key, upload = thing
            number = self.chance.randint(1, 2)
            content = self.content() if number == 2 else Content(self.chance.getrandbits(48), 5 * MIB)
            others = {part for part in self.things[thing] if part[0] != number}
            after = frozenset(others | {(number, content.size)})

            def then(answer: dict) -> None:
                self.parts[upload][number] = content, answer["ETag"]

            # Half an acknowledgement would leave its ETag unknown: until it is heard the part is not used.
            self.parts[upload].pop(number, None)
            asked = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": number, "Body": content.bytes()}
            return Change("", self.s3.upload_part, asked, {thing: after}, then)
        return None

    def complete(self) -> Change | None:
        for thing in self.of_kind("upload"):
            _, bucket, key, upload = thing
            known = {number: part for number, part in self.parts[upload].items() if number}
            if 1 not in known:
                continue
            to = ("object", bucket, key)
            pieces = [known[number][0].bytes() for number in sorted(known)]
            version = Version(UNKNOWN, digest(*pieces), self.parts[upload][0][0])
            listed = [{"PartNumber": number, "ETag": known[number][1]} for number in sorted(known)]
            asked = {"Bucket": bucket, "Key": key, "UploadId": upload, "MultipartUpload": {"Parts": listed}}
            return Change("", self.s3.complete_multipart_upload, asked, {thing: None, to: self.written(to, version)})
        return None

    def abort(self) -> Change | None:
        for thing in self.of_kind("upload")[:1]:
            asked = {"Bucket": thing[1], "Key": thing[2], "UploadId": thing[3]}
            return Change("", self.s3.abort_multipart_upload, asked, {thing: None})
        return None

    # Conversations.

    def tell(self, method: str, path: str, body: dict | None = None) -> dict:
        try:
            answer = self.http.request(method, path, json=body)
        except httpx2.TransportError as gone:
            raise Unanswered from gone
        if answer.status_code >= 500:
            # In the words of AWS's clients.
            error = answer.json()["error"]
            told = {"Code": TELLING.get(error["code"], error["code"]), "Message": error["message"]}
            raise botocore.exceptions.ClientError({"Error": told, "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}, f"{method} {path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    @staticmethod
    def message(text: str) -> dict:
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    def talk(self) -> Change | None:
        if len(self.of_kind("conversation")) >= MOST_CONVERSATIONS:
            return None
        text, note = self.word(), self.word()

        def then(answer: dict) -> None:
            self.things["conversation", answer["id"]] = ((("note", note),), text)

        asked = {"method": "POST", "path": "/v1/conversations", "body": {"items": [self.message(text)], "metadata": {"note": note}}}
        return Change("", self.tell, asked, {}, then)

    def say(self) -> Change | None:
        for thing in self.of_kind("conversation")[:1]:
            if len(self.things[thing]) > 20:
                continue
            text = self.word()
            asked = {"method": "POST", "path": f"/v1/conversations/{thing[1]}/items", "body": {"items": [self.message(text)]}}
            return Change("", self.tell, asked, {thing: (*self.things[thing], text)})
        return None

    def note(self) -> Change | None:
        for thing in self.of_kind("conversation")[:1]:
            note = self.word()
            asked = {"method": "POST", "path": f"/v1/conversations/{thing[1]}", "body": {"metadata": {"note": note}}}
            return Change("", self.tell, asked, {thing: ((("note", note),), *self.things[thing][1:])})
        return None

    def forget(self) -> Change | None:
        for thing in self.of_kind("conversation")[:1]:
            return Change("", self.tell, {"method": "DELETE", "path": f"/v1/conversations/{thing[1]}"}, {thing: None})
        return None

    # Prompts: a name is one prompt's, so it can be found by it however little was heard of it.

    @staticmethod
    def variants(text: str) -> list[dict]:
        return [{"name": "only", "templateType": "TEXT", "templateConfiguration": {"text": {"text": text}}}]

    def _of_prompt(self, thing: tuple, call, after, **arguments) -> Change:
        return Change("", call, {"promptIdentifier": self.seen.prompt_id(thing[1]), **arguments}, {thing: after})

    def draft(self) -> Change | None:
        if len(self.of_kind("prompt")) >= MOST_PROMPTS:
            return None
        name, text = self.word(), self.word()
        asked = {"name": name, "variants": self.variants(text)}
        return Change("", self.agent.create_prompt, asked, {("prompt", name): (("DRAFT", text),)})

    def redraft(self) -> Change | None:
        for thing in self.of_kind("prompt")[:1]:
            text = self.word()
            after = (("DRAFT", text), *self.things[thing][1:])
            return self._of_prompt(thing, self.agent.update_prompt, after, name=thing[1], variants=self.variants(text))
        return None

    def publish(self) -> Change | None:
        for thing in self.of_kind("prompt"):
            if self.is_full(thing):
                continue
            (_, text), *versions = self.things[thing]
            number = int(versions[-1][0]) + 1 if versions else 1
            after = (*self.things[thing], (str(number), text))
            return self._of_prompt(thing, self.agent.create_prompt_version, after)
        return None

    def withdraw(self) -> Change | None:
        """Never the last one: from its number, what the next one is called is known."""
        for thing in self.of_kind("prompt"):
            first, *versions = self.things[thing]
            if len(versions) < 2:
                continue
            return self._of_prompt(thing, self.agent.delete_prompt, (first, *versions[1:]), promptVersion=versions[0][0])
        return None

    def discard(self) -> Change | None:
        for thing in self.of_kind("prompt")[:1]:
            return self._of_prompt(thing, self.agent.delete_prompt, None)
        return None

    # Doing it.

    def do(self, change: Change) -> None:
        self.doubt = change
        self.touched.update(change.after)
        answer = ask(change.call, **change.arguments)
        change.then(answer)
        for thing, shape in change.after.items():
            self.things[thing] = named(shape, answer.get("VersionId"))
        self.doubt = None
        self.done[change.name] = self.done.get(change.name, 0) + 1

    def step(self) -> bool:
        """A change, or now and then a look at something; whether it was a change."""
        if self.things and self.chance.random() < 0.2:
            try:
                self.check(self.chance.choice(sorted(self.things)))
            except (botocore.exceptions.BotoCoreError, httpx2.TransportError) as gone:
                raise Unanswered from gone
            return False
        self.do(self.any_change())
        return True

    # Looking at what became of it.

    def settle(self) -> None:
        """After a restart: finds out what became of the change that nobody answered."""
        if change := self.doubt:
            found = {thing: self.seen.of(thing) for thing in change.after}
            before = {thing: shown(self.things.get(thing, self.nothing(thing))) for thing in change.after}
            # The same call twice may change nothing.
            if all(found[thing] == before[thing] for thing in found):
                self.doubts.append((change.name, "not done"))
            else:
                is_done = all(fits(found[thing], shown(shape), before[thing]) for thing, shape in change.after.items())
                assert is_done, f"{change.name} is half done: {found} of {before} and {change.after}"
                self.things |= {thing: named(shape, newest(found[thing])) for thing, shape in change.after.items()}
                self.doubts.append((change.name, "done"))
            self.doubt = None
        for kind in (PLAIN, KEPT):
            self.give_up_strange_uploads(self.bucket(kind))

    @staticmethod
    def nothing(thing: tuple):
        return () if thing[0] == "object" else None

    def give_up_strange_uploads(self, bucket: str) -> None:
        listed = self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        there = {("upload", bucket, one["Key"], one["UploadId"]) for one in listed}
        known = {thing for thing in self.of_kind("upload") if thing[1] == bucket}
        assert known <= there, f"lost: {known - there}"
        strange = there - known
        # One call at most was not answered.
        assert len(strange) <= 1, strange
        for _, _, key, upload in strange:
            self.s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)

    def check(self, thing: tuple) -> None:
        """What was acknowledged of it holds."""
        found, expected = self.seen.of(thing), self.things[thing]
        assert found == shown(expected), f"{thing}: {found} is not {expected}"

    def check_touched(self, more: int) -> None:
        others = sorted(self.things.keys() - self.touched)
        for thing in sorted(self.touched & self.things.keys()) + self.chance.sample(others, min(more, len(others))):
            self.check(thing)
        self.touched.clear()
        # What is gone, and stays gone, need not be looked at for ever.
        gone = [thing for thing, shape in self.things.items() if shape in GONE]
        for thing in gone[:-20]:
            del self.things[thing]

    def check_all(self) -> None:
        for thing in sorted(self.things):
            self.check(thing)
        self.check_lists()

    def check_lists(self) -> None:
        """The lists of both buckets have what is there, and nothing else."""
        for kind in (PLAIN, KEPT):
            bucket = self.bucket(kind)
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
            listed = [(one["Key"], one["Size"]) for page in pages for one in page.get("Contents", [])]
            current = {thing[2]: self.things[thing][0] for thing in self.with_content() if thing[1] == bucket}
            assert [key for key, _ in listed] == sorted(current), bucket
            assert all(current[key].digest.startswith(f"{size} bytes") for key, size in listed), bucket


def named(shape, name: str | None):
    """The shape, once it is known what the new version is called."""
    if not isinstance(shape, tuple) or name is None:
        return shape
    return tuple(replace(one, name=name) if getattr(one, "name", "") == UNKNOWN else one for one in shape)


def newest(shape) -> str | None:
    """What the newest version of an object is called."""
    return getattr(shape[0], "name", None) if isinstance(shape, tuple) and shape else None
