"""The marker goes through every route and every operation, and rests nowhere: not in files, databases, logs, metrics, traces,
replies to others, cores, environments or temporary files, at no time until everything was erased, and not afterwards.

There is a case for each (`canary_cases.py`), and this fails for a new route without one. That what is looked for would be found is
shown by `test_canary_finder.py`.
"""

import pytest

import canary_s3
from asking_s3 import s3_operations
from canary import Places, found
from canary_cases import routes_without_case, without_case
from canary_run import SECRETS, canary_run
from route_world import openai_routes, operations


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The one run, which these tests follow from its beginning to its end."""
    with canary_run(tmp_path_factory.mktemp("canary")) as run:
        yield run


def test_the_marker_rests_nowhere_while_it_is_sent(run):
    assert run.send() == []
    with run.in_the_middle():
        assert run.look() == []
    run.wait_for_traces()
    assert run.look() == []


def test_a_backup_has_nothing_to_read(run):
    run.back_up()
    run.restore()
    looked = list(Places([run.backups]).at_rest())
    assert sum(len(data) for _, data in looked) > len(canary_s3.LARGE)
    assert run.look() == []


def test_others_read_nothing_in_what_they_are_answered(run):
    run.ask_as_others()
    run.look_after_it()
    assert len(run.others.replies) > 2 * len(operations())
    assert found(iter(run.others.replies), SECRETS) == []


def test_nothing_is_left_of_what_every_operation_does(run):
    run.ask_everything()
    run.wait_for_traces()
    assert run.look() == []
    run.server.assert_unharmed()


def test_nothing_is_left_by_an_end_in_the_middle(run):
    with run.in_the_middle():
        run.server.kill()
    assert run.look_closely() == []
    run.server.start()
    assert run.look() == []
    assert run.server.stop() == 0
    assert run.look_closely() == []


def test_what_was_erased_leaves_nothing(run):
    run.server.start()
    run.erase()
    assert run.look() == []


def test_no_core_is_left_though_one_is_forced(run):
    with run.in_the_middle():
        assert run.look() == []
        signal, has_dumped = run.force_a_core()
    assert (signal, has_dumped) == (6, False)
    assert list(run.here.iterdir()) == [], "it writes nothing where it stands"
    assert found(Places([run.here, run.temporary]).at_rest(), SECRETS) == []
    assert run.look_closely() == []
    run.server.start()


def test_every_route_and_operation_had_a_case(run):
    listed = [*operations(), *(("s3", operation) for operation in s3_operations())]
    assert routes_without_case(openai_routes(), run.routes) == []
    assert list(without_case(run.recorder, run.client, listed)) == []
