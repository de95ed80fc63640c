import itertools
import json
import pickle
import re
from pathlib import Path

import pytest

from scenarios.checks import Answer, judge
from scenarios.draw import drawn
from scenarios.prompts import NONCE_WORDS, WORDS
from scenarios.request import ScenarioError
from scenarios.scenario import checks_of, library, load, override
from scenarios.session import case

INVALID = Path(__file__).parent / "invalid" / "scenarios"

TOLD = {
    "answers.toml": "session.answers holds 2 texts, not 1",
    "backreference.toml": "case[0].check[0].pattern: RE2 refuses",
    "bad_deadline.toml": "deadlines.total: Expected `float` > 0",
    "bad_gap.toml": "session.gap: '5min' is not a duration; write",
    "bad_name.toml": "'a/b' is no name; use",
    "check_without_text.toml": "check[0]: a contains check needs 'text'; add it",
    "check_wrong_key.toml": "'ignorecase'; did you mean ignore_case?",
    "choice_without_tools.toml": "tool_choice is set without tools; add",
    "both_ids.toml": "two cases have the id 'a.whole'",
    "code_untold.toml": "case[0].check[0].tests[0]: nothing says what is right; add",
    "draw_and_value.toml": "case '1': draw.k: it stands in values too; drop one",
    "draw_backwards.toml": "draw.k: 9 is not below 2; swap them",
    "draw_empty.toml": "draw.k: write two whole numbers, such as [2, 9], or a list",
    "draw_float.toml": "case[0].draw[...][0]: Expected `int | str`, got `float`",
    "draw_mixed.toml": "draw.k: write two whole numbers",
    "draw_spoils_check.toml": "regex with {'k': '('}.pattern: RE2 refuses '('",
    "draw_text.toml": "draw.text: 'text' cannot be drawn; use another word",
    "draw_three.toml": "draw.k: write two whole numbers",
    "draw_unused.toml": "draw.k is used nowhere; write {k} in the prompt or a check",
    "empty.jsonl": "holds no case; write",
    "empty_expected.jsonl": ":1: expected",
    "nan_temperature.toml": "request.temperature: Expected `float`",
    "no_content.jsonl": ":2: messages[0].content is missing; write it",
    "no_messages.jsonl": ":1: messages is empty; write",
    "no_text.toml": "prompt.tokens is set, but {text} stands nowhere; put",
    "no_tokens.toml": "{text} stands in the prompt; set prompt.tokens",
    "no_value.toml": "no value for {city}; add it to values, or write {{city}}",
    "not_an_object.jsonl": ":1: Expected `object`, got `array`",
    "not_json.jsonl": ":2: not JSON",
    "not_toml.toml": "not TOML: Expected ']'",
    "not_utf8.toml": "byte 8 is not UTF-8; save",
    "nothing_to_ask.jsonl": ":1: write either messages or prompt",
    "nothing_to_ask.toml": "nothing to ask; set prompt.user",
    "same_id.jsonl": ":2: id '1' stands twice",
    "same_id.toml": "two cases have the id 'a'",
    "session_and_user.toml": "drop prompt.user",
    "steps_after.toml": "check[0].tasks.a.after: no task 'b'; add it, or take it out",
    "stream_some.toml": "case[0].stream: Invalid enum value 'twice'; use both",
    "two_sources.toml": "user and messages exclude each other; drop one",
    "unknown_check.toml": "check[0]: no check of kind 'contain'; did you mean contains",
    "unknown_effort.toml": "request.effort: Invalid enum value 'hihg'; did you mean",
    "unknown_key.jsonl": ":3: unknown key 'promt'; did you mean prompt?",
    "unknown_key.toml": "unknown key 'descripton'; did you mean description?",
    "unknown_request_key.toml": "request: unknown key 'max_token'; did you mean max_",
    "unknown_role.toml": "messages[0].role is 'usr'; did you mean user?",
    "unknown_tool.toml": "the tool 'get_wether'; did you mean get_weather?",
    "unused_value.toml": "values.cityy is used nowhere; did you mean city?",
    "wrong_type.toml": "request.max_tokens: Expected `int`, got `str`",
    "zero_tokens.toml": "request.max_tokens: Expected `int` >= 1",
}


def written(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load(str(path))


def asked(scenario, index=0, salt="salt", *, seed=1, phase="measure", step=0):
    made = drawn(scenario, seed)
    return case(made, index, salt=salt, seed=seed, phase=phase, step=step)


def last_user(request):
    assert request.messages[-1]["role"] == "user"
    return request.messages[-1]["content"]


def n_words(request):
    return sum(len(message["content"].split()) for message in request.messages)


def test_every_bad_file_is_told_of():
    assert sorted(path.name for path in INVALID.iterdir()) == sorted(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_a_bad_file_gives_one_line_with_file_and_key(name):
    path = str(INVALID / name)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(path)
    assert TOLD[name] in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "pin",
            "no scenario named 'pin'; did you mean ping? (a file must end in .toml",
        ),
        ("zzzz", "use agent-session, burst, cache-audit, "),
        ("no/such.toml", "no/such.toml: cannot be read: No such file"),
        ("./ping", "a scenario file is .toml, .jsonl or .csv"),
        ("nul\0.toml", "cannot be read"),
        ("tests/", "a scenario file is .toml, .jsonl or .csv"),
    ],
)
def test_a_name_or_path_that_leads_nowhere(name, told):
    with pytest.raises(ScenarioError, match=re.escape(told)):
        load(name)


def test_deep_nesting_is_no_traceback(tmp_path):
    with pytest.raises(ScenarioError, match="not TOML"):
        written(tmp_path, "x = " + "[" * 100_000)
    with pytest.raises(ScenarioError, match=":1: not JSON"):
        written(tmp_path, "[" * 100_000, "deep.jsonl")


# the library


def test_the_library_holds_what_it_promises():
    wanted = {"ping", "chat-1k", "chat-10k", "cache-pair", "tool-call", "json-object"}
    wanted |= {"code-unit", "repo-task", "tool-fidelity", "json-mode", "params"}
    assert wanted | {"repeat", "plan", "oneshot-app"} <= set(library())
    for name in library():
        scenario = load(name)
        assert scenario.name == name
        assert scenario.description
        assert re.fullmatch(r"\d+-[0-9a-f]{12}", scenario.scenario_version)


@pytest.mark.parametrize("name", library())
def test_every_prompt_of_the_library_starts_with_its_nonce(name):
    for request in asked(load(name)).requests:
        label, _, words = (
            request.messages[0]["content"].partition("\n")[0].partition(" ")
        )
        assert label == "Label:"
        assert words == request.nonce
        assert len(words.split()) == NONCE_WORDS


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("ping", 15, 35), ("chat-1k", 970, 1010), ("chat-10k", 9970, 10010)],
)
def test_prompts_are_about_as_long_as_their_names_say(name, low, high):
    assert low <= n_words(asked(load(name)).requests[0]) <= high


def test_all_cases_of_a_generated_scenario_cost_the_same():
    requests = [asked(load("chat-1k"), i, "s" * i).requests[0] for i in range(1, 20)]
    assert len({n_words(request) for request in requests}) == 1
    assert len({request.digest for request in requests}) == len(requests)


def test_ping_asks_for_a_single_word_and_takes_it_in_any_case():
    ping = load("ping")
    request = asked(ping).requests[0]
    assert 'single word "pong"' in last_user(request)
    assert request.max_tokens <= 16
    assert request.effort == "off"
    (check,) = checks_of(ping, asked(ping).case)
    assert judge(check, Answer(content="Pong.")).passed is True
    assert judge(check, Answer(content="ping")).passed is False


def test_a_tool_call_can_be_read_off_its_question():
    scenario = load("tool-call")
    assert len(scenario.cases) > 2
    for index in range(len(scenario.cases)):
        session = asked(scenario, index)
        (request,) = session.requests
        function = request.tools[0]["function"]
        kinds = function["parameters"]["properties"]
        assert function["parameters"]["required"] == list(kinds)
        question = last_user(request)
        texts = iter(re.findall(r'"([^"]*)"', question))
        numbers = iter(re.findall(r"\b\d+\b", question))
        answer = {
            key: next(texts) if kind["type"] == "string" else int(next(numbers))
            for key, kind in kinds.items()
        }
        call = (function["name"], json.dumps(answer))
        (check,) = checks_of(scenario, session.case)
        assert judge(check, Answer(tool_calls=(call,))).passed is True
        assert judge(check, Answer(tool_calls=(call, call))).passed is False
        assert [*texts, *numbers] == []


def test_the_keys_of_a_json_answer_are_quoted_in_its_question():
    scenario = load("json-object")
    for index in range(len(scenario.cases)):
        session = asked(scenario, index)
        (request,) = session.requests
        assert request.response_format == {"type": "json_object"}
        keys = re.findall(r'"([^"]*)"', last_user(request))
        (check,) = checks_of(scenario, session.case)
        assert list(check.keys) == keys
        answer = Answer(content=json.dumps(dict.fromkeys(keys, 1)))
        assert judge(check, answer).passed is True


def test_the_turns_of_a_cache_pair_share_all_but_the_question():
    pair = load("cache-pair")
    first, second = asked(pair).requests
    assert pair.session.gap == 1.0
    assert first.messages[0] == second.messages[0]
    assert last_user(first) != last_user(second)
    assert 4000 <= len(first.messages[0]["content"].split()) <= 4030
    other = asked(pair, 1).requests[0]
    assert other.messages[0] != first.messages[0]


# sessions and cases


def test_a_case_is_the_same_every_time():
    for name in library():
        once, again = asked(load(name), 3), asked(load(name), 3)
        assert once.case == again.case
        assert tuple(once.requests) == tuple(again.requests)


def test_salt_step_phase_and_index_each_change_the_nonce():
    ping = load("ping")
    made = [
        asked(ping),
        asked(ping, salt="other"),
        asked(ping, step=1),
        asked(ping, phase="warmup"),
        asked(ping, index=1),
    ]
    nonces = {session.requests[0].nonce for session in made}
    assert len(nonces) == 5
    assert all(set(nonce.split()) <= set(WORDS) for nonce in nonces)


def test_scripted_answers_stand_in_the_history(tmp_path):
    scenario = written(
        tmp_path,
        """
        [prompt]
        system = "Be brief, {name}."
        [session]
        turns = ["One?", "Two, {name}?", "Three?"]
        answers = ["1", "2"]
        gap = "5m"
        [[case]]
        values = { name = "Bo" }
        """,
    )
    requests = asked(scenario).requests
    assert [len(request.messages) for request in requests] == [2, 4, 6]
    said = [message["content"] for message in requests[2].messages[1:]]
    assert said == ["One?", "1", "Two, Bo?", "2", "Three?"]
    for earlier, later in itertools.pairwise(requests):
        assert later.messages[: len(earlier.messages)] == earlier.messages
    assert requests[0].messages[0]["content"].endswith("\n\nBe brief, Bo.")
    assert scenario.session.gap == 300.0


def test_without_a_nonce_the_prompt_goes_out_as_it_stands(tmp_path):
    scenario = written(tmp_path, '[prompt]\nuser = "Hello"\nnonce = false')
    request = asked(scenario).requests[0]
    assert request.messages == ({"role": "user", "content": "Hello"},)
    assert request.nonce is None


def test_a_message_of_parts_gets_a_part_for_its_nonce(tmp_path):
    content = [{"type": "text", "text": "Hello"}]
    line = json.dumps({"messages": [{"role": "user", "content": content}]})
    request = asked(written(tmp_path, line, "parts.jsonl")).requests[0]
    first, second = request.messages[0]["content"]
    assert first == {"type": "text", "text": f"Label: {request.nonce}\n\n"}
    assert second == content[0]


def test_a_case_may_have_limits_and_tools_of_its_own(tmp_path):
    scenario = written(
        tmp_path,
        """
        name = "mine"
        [request]
        max_tokens = 10
        stop = ["END"]
        [[case]]
        user = "A"
        [[case]]
        user = "B"
        max_tokens = 20
        tools = [{ type = "function", function = { name = "f" } }]
        """,
    )
    requests = {asked(scenario, i).case: asked(scenario, i).requests[0] for i in (0, 1)}
    assert (requests["1"].max_tokens, requests["1"].tools) == (10, None)
    assert requests["2"].max_tokens == 20
    assert requests["2"].tools[0]["function"] == {"name": "f"}
    assert requests["1"].stop == ("END",)


def test_jsonl_lines_become_cases(tmp_path):
    lines = [
        {"prompt": "What is 2+2?", "expected": "4", "id": "sum"},
        {
            "messages": [
                {"role": "system", "content": "S"},
                {"role": "user", "content": "U"},
            ]
        },
        {"prompt": "line\u2028separator", "max_tokens": 5, "id": 77},
    ]
    text = "\ufeff" + "\n\n".join(json.dumps(x, ensure_ascii=False) for x in lines)
    scenario = written(tmp_path, text + "\n", "my prompts.jsonl")
    assert scenario.name == "my-prompts"
    assert [case.id for case in scenario.cases] == ["sum", "3", "77"]
    (check,) = checks_of(scenario, "sum")
    assert judge(check, Answer(content="It is 4.")).passed is True
    assert checks_of(scenario, "3") == ()
    requests = {
        asked(scenario, i).case: asked(scenario, i).requests[0] for i in range(3)
    }
    assert requests["3"].messages[0]["content"].endswith("\n\nS")
    assert requests["77"].max_tokens == 5
    assert "\u2028" in last_user(requests["77"])


def test_cases_come_round_in_a_seeded_order(tmp_path):
    text = "\n".join(json.dumps({"prompt": f"p{i}"}) for i in range(20))
    scenario = written(tmp_path, text, "many.jsonl")

    def laps(seed, **kwargs):
        ids = [asked(scenario, i, seed=seed, **kwargs).case for i in range(40)]
        return ids[:20], ids[20:]

    first, second = laps(1)
    assert sorted(first) == sorted(second) == sorted(c.id for c in scenario.cases)
    assert first != second
    assert laps(1) == (first, second)
    assert laps(2)[0] != first
    # The load steps ask the same, so that they can be compared.
    assert laps(1, step=1, phase="warmup", salt="other") == (first, second)


def test_checks_of_one_name_are_told_apart(tmp_path):
    scenario = written(
        tmp_path,
        """
        check = [{ kind = "contains", text = "a" }]
        [[case]]
        user = "A"
        check = [{ kind = "contains", text = "b" }, { kind = "min_chars", chars = 1 }]
        """,
    )
    names = [check.name for check in checks_of(scenario, "1")]
    assert names == ["contains", "contains-2", "min_chars"]
    with pytest.raises(ScenarioError, match="no case 'x'"):
        checks_of(scenario, "x")


# versions and overrides


def test_the_version_follows_the_content_and_not_the_comments(tmp_path):
    base = 'name = "a"\n[prompt]\nuser = "Hello"\n'
    version = written(tmp_path, base).scenario_version
    assert written(tmp_path, "# why\n" + base, "b.toml").scenario_version == version
    changed = written(tmp_path, base.replace("Hello", "Hallo"))
    assert changed.scenario_version != version
    assert changed.scenario_version.startswith("1-")
    assert written(tmp_path, "version = 3\n" + base).scenario_version.startswith("3-")


def test_overrides_reach_the_requests_and_the_version():
    chat = load("chat-1k")
    changed = override(
        chat,
        max_tokens=7,
        temperature=1,
        effort="max",
        stream=False,
        prompt_tokens=50,
        nonce=False,
        name="short",
    )
    request = asked(changed).requests[0]
    assert (request.max_tokens, request.temperature) == (7, 1.0)
    assert (request.effort, request.stream, request.nonce) == ("max", False, None)
    assert n_words(request) < 100
    assert changed.name == "short"
    assert changed.digest != chat.digest
    assert override(chat) == chat


def test_an_override_wins_over_single_cases(tmp_path):
    scenario = written(tmp_path, '{"prompt": "x", "max_tokens": 9}', "x.jsonl")
    assert asked(override(scenario, max_tokens=3)).requests[0].max_tokens == 3
    assert asked(override(scenario, seed=3)).requests[0].max_tokens == 9


def test_a_gap_may_be_overridden_where_there_is_one():
    assert override(load("cache-pair"), gap="5m").session.gap == 300.0
    with pytest.raises(
        ScenarioError, match=r"gap is for a scenario with a \[session\]"
    ):
        override(load("ping"), gap=1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_token": 1}, "scenario ping: unknown key 'max_token'; did you mean"),
        ({"max_tokens": "1"}, "scenario ping: max_tokens: Expected `int`, got `str`"),
        ({"max_tokens": None}, "scenario ping: max_tokens: Expected `int`"),
        ({"effort": "hi"}, "scenario ping: effort: Invalid enum value 'hi'; "),
        ({"prompt_tokens": 9}, "prompt.tokens is set, but {text} stands nowhere"),
        ({"name": "a b"}, "'a b' is no name"),
        ({"deadlines": {"totl": 1}}, "ping: deadlines: unknown key 'totl'; did you"),
        ({"deadlines": {"total": "soon"}}, "deadlines.total: 'soon' is not a duration"),
        ({"deadlines": {"headers": 0}}, "deadlines: headers: Expected `float` > 0"),
        ({"deadlines": "30s"}, 'deadlines: write a table, such as { total = "30s" }'),
    ],
)
def test_a_bad_override_is_refused(changes, told):
    with pytest.raises(ScenarioError, match=re.escape(told)):
        override(load("ping"), **changes)


def test_deadlines_are_seconds_and_unset_ones_unknown():
    deadlines = load("ping").deadlines
    assert (deadlines.first_token, deadlines.total) == (30.0, 60.0)
    assert deadlines.token_gap is None
    assert load("chat-1k").deadlines.total is None


def test_a_jobs_deadlines_for_a_scenario_leave_those_it_does_not_name():
    ping = load("ping")
    changed = override(ping, deadlines={"connect": "2s", "headers": 3, "total": "1m"})
    found = changed.deadlines
    assert (found.connect, found.headers, found.total) == (2.0, 3.0, 60.0)
    assert found.first_token == ping.deadlines.first_token
    assert changed.scenario_version != ping.scenario_version


def test_a_scenario_travels_to_another_process():
    for name in library():
        scenario = load(name)
        assert pickle.loads(pickle.dumps(scenario)) == scenario
