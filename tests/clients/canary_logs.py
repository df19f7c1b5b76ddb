"""The marker on its way into log events, and into what is looked for in them."""

import time

from canary import MARKER
from canary_prompts import attempt

GROUP = "canary"


def send_to_logs(logs, key: str) -> None:
    """Through every operation that takes words, under a key that was chosen and under the account's own."""
    logs.create_log_group(logGroupName=GROUP, kmsKeyId=key)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="one")
    place = {"logGroupName": GROUP, "logStreamName": "one"}
    entity = {"keyAttributes": {"Type": MARKER, "Name": MARKER}, "attributes": {MARKER: MARKER}}
    now = int(time.time() * 1000)
    for number in range(20):
        # Alone, and as much as is compressed and summed up.
        text = f"{number} {MARKER}" * (1 if number % 5 else 2000)
        logs.put_log_events(logEvents=[{"timestamp": now, "message": text}], entity=entity, **place)
    logs.disassociate_kms_key(logGroupName=GROUP)
    logs.put_log_events(logEvents=[{"timestamp": now, "message": MARKER}], **place)
    assert MARKER in logs.get_log_events(**place)["events"][-1]["message"]
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern=f'"{MARKER}"')
    assert len(found["events"]) == 21
    tried = logs.test_metric_filter(filterPattern="[first, word]", logEventMessages=[f"1 {MARKER}"])
    assert tried["matches"][0]["extractedValues"]["$word"] == MARKER
    send_wrongly_to_logs(logs, place, now)


def send_wrongly_to_logs(logs, place: dict, now: int) -> None:
    """What is refused, with the marker in it."""
    for events in (
        [{"timestamp": now, "message": MARKER}, {"timestamp": now - 1, "message": MARKER}],
        [{"timestamp": now, "message": MARKER * 60_000}],
    ):
        assert attempt(logs.put_log_events, logEvents=events, **place)
    assert attempt(logs.put_log_events, logEvents=[{"timestamp": now, "message": MARKER}], logGroupName=GROUP, logStreamName="none")
    for pattern in (f"{{ $.{MARKER}", f'"{MARKER}', MARKER * 100):
        assert attempt(logs.filter_log_events, logGroupName=GROUP, filterPattern=pattern)
        assert attempt(logs.test_metric_filter, filterPattern=pattern, logEventMessages=[MARKER])
