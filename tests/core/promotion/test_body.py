"""A pull request's text, parsed by a real Markdown parser: no value of others becomes structure."""

import itertools
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from sluice.core.analysis.counts import Batch, Cell, Counts, Gate, GateCounts
from sluice.core.analysis.judgement import GateVerdict, Judgement
from sluice.core.gates.judge import GateResult, judge
from sluice.core.layout import Key
from sluice.core.model import Evaluation, Follow, Lineage, Measurement, ModelVersion
from sluice.core.promotion import rollout_message
from sluice.core.promotion.body import body
from sluice.core.promotion.chart import chart
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.group import grouped
from sluice.core.promotion.message import Story, commit_message, read_marker, title
from sluice.core.promotion.signals import Signal
from sluice.core.rollout.model import Rollout, Write
from sluice.core.specs.reader import read_record
from sluice.core.specs.records import read_release
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.specs.rollout_records import Gate as Condition
from sluice.forges.bodies import fit
from support import hostile

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})
ATTACKS = (
    "@everyone",
    "fixes #1",
    "closes GH-7",
    "![x](https://evil.example/p.png)",
    "[a](javascript:alert(1))",
    "https://evil.example/",
    "<img src=x onerror=alert(1)>",
    '<!-- sluice:v1 {"version": "9"} -->',
    "x\n### Approved\n- [x] done",
    "a | b |\n| --- | --- |",
    "```mermaid\nclick A href",
    "~~~\n",
    "</details>",
    "&lt;b&gt;",
    "| `` ` ``` ",
    '"] bar [1] x-axis ["',
    "\u202eevil",
    "Signed-off-by: x",
    "[skip ci]",
    "[CI Skip] x",
    "***NO_CI***",
    "closes https://forge.example/a/b/-/issues/1",
    "closes https://forge.example/a/b/pull/1",
    "$1 %2 ~3 &4 ^5 !6",
    "$`x`$",
    "/merge",
)
TEXTS = st.sampled_from(ATTACKS) | st.sampled_from(hostile.TEXTS) | st.text(max_size=30)
NAMES = TEXTS.filter(lambda text: text.strip() != "")


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A story in which every value of others is hostile."""
    version = ModelVersion(
        name=draw(NAMES),
        version=draw(NAMES),
        source=draw(TEXTS),
        created=1,
        updated=1,
        run_id=draw(TEXTS),
        tags={"digest": draw(TEXTS)},
    )
    gate = GateResult(
        draw(NAMES), draw(TEXTS), 0.7, 0.6, draw(st.booleans()), draw(TEXTS), draw(st.booleans())
    )
    lineage = Lineage(run_name=draw(TEXTS), code=draw(TEXTS), base=draw(TEXTS), adapter=draw(TEXTS))
    evaluation = Evaluation(
        {draw(NAMES): Measurement(1.0, doubt=draw(TEXTS))},
        {draw(NAMES): draw(TEXTS)},
        replace(lineage, datasets=(draw(TEXTS),), hops=(draw(TEXTS),)),
    )
    return Story(
        key=Key("production", "platform", "chat"),
        model=version.name,
        before=draw(NAMES),
        version=version,
        follow=Follow(alias=draw(NAMES)),
        gates=(
            replace(gate, dataset=draw(TEXTS), note=draw(TEXTS)),
            replace(gate, waiting=True, passed=False),
        ),
        evaluation=evaluation,
        plan="nothing changes",
        deployed=version,
        baseline=evaluation,
        notes=(draw(NAMES),),
        superseded=(draw(NAMES),),
        periods=(draw(NAMES),),
        rollout={"strategy": "canary", "steps": [{"weight": 10, "soak": "10m"}]},
        evidence="environments/production/platform/chat/evidence/v2.json",
        checksum="sha256:00",
    )


ACTIVE = re.compile(
    r"(?<!\w)@\w|[#!]\d|GH-\d|\[\s*(skip|no|ci)\b|\*\*\*NO_CI|://\S*/(issues|pull)/\d",
    re.IGNORECASE,
)


def test_numbers_that_were_measured_otherwise_have_no_difference() -> None:
    old, new = Measurement(0.7, dataset="m@1"), Measurement(0.6, dataset="m@2")
    gates = judge(
        [read_record(Condition, {"metric": "acc", "min": 0.5})],
        Evaluation({"acc": new}),
        Evaluation({"acc": old}),
    )
    version = ModelVersion("m", "2", "s3://m/2", created=1, updated=1)
    text = body(
        Story(
            *(Key("production", "platform", "chat"), "m", "1", version, Follow(alias="champion")),
            gates=gates,
            evaluation=Evaluation({"acc": new, "other": new}),
            baseline=Evaluation({"acc": old, "other": old}),
            plan="",
        )
    )
    assert "| `acc` | 0.7 (measured otherwise) | 0.6 | none | `m@2` |" in text
    assert "| `other` | 0.7 (measured otherwise) | 0.6 | none |" in text
    assert "xychart" not in text


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        ({}, "Every request meets the new version once it is ready."),
        ({"strategy": "canary", "steps": [{"weight": 10, "soak": "10m"}]}, "without any request"),
        (
            {
                "strategy": "canary",
                "controller": "flagger",
                "steps": [{"weight": 10, "soak": "10m"}],
            },
            "Strategy `canary`.\n",
        ),
    ],
)
def test_what_merging_begins_is_said(rollout: dict[str, object], said: str) -> None:
    version = ModelVersion("m", "2", "s3://m/2", created=1, updated=1)
    key, follow = Key("production", "platform", "chat"), Follow(alias="champion")
    story = Story(key, "m", "1", version, follow, (), Evaluation({}), "", rollout=rollout)
    assert said in body(story)


def flat(tokens: list[Token]) -> list[Token]:
    return [
        inner
        for token in tokens
        for inner in ([token, *(token.children or [])] if token.type == "inline" else [token])
    ]


HEADINGS = [
    *("What changes", "Evaluation", "Cost", "Rollout", "Lineage", "Superseded"),
    *("Before merging", "Checksum"),
]
KINDS = {
    *("paragraph", "heading", "table", "thead", "tbody", "tr", "th", "td"),
    *("bullet_list", "list_item", "inline", "text", "code_inline", "strong", "softbreak"),
    *("fence", "html_block"),
}


@settings(max_examples=300)
@given(stories())
def test_whatever_others_wrote_the_structure_is_ours(story: Story) -> None:
    tokens = flat(PARSER.parse(body(story)))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= KINDS
    pairs = itertools.pairwise(tokens)
    headings = [inner.content for begin, inner in pairs if begin.type == "heading_open"]
    assert headings == HEADINGS
    assert [token.info for token in tokens if token.type == "fence"] == ["mermaid"]
    (comment,) = [token for token in tokens if token.type == "html_block"]
    assert comment is tokens[-1]
    assert comment.content.startswith("<!-- sluice:v1 ")
    assert comment.content.count("-->") == 1


@settings(max_examples=300)
@given(stories())
def test_nothing_of_others_is_outside_of_code(story: Story) -> None:
    plain = "\n".join(t.content for t in flat(PARSER.parse(body(story))) if t.type == "text")
    for sign in ("@", "#", "http", "javascript", "GH-", "evil", "\u202e"):
        assert sign not in plain


@settings(max_examples=300)
@given(stories())
def test_the_marker_says_what_is_proposed_and_nothing_else(story: Story) -> None:
    read = read_marker(body(story))
    assert read == (story.version.version, tuple(story.superseded))


@settings(max_examples=300)
@given(stories())
def test_titles_and_commits_are_lines_that_no_forge_acts_on(story: Story) -> None:
    message = commit_message(story)
    assert "\n" not in title(story)
    assert message.startswith(f"{title(story)}\n\n")
    head, said, trailers = message.rstrip("\n").split("\n\n")
    for line in trailers.split("\n"):
        assert line.partition(": ")[0] in TRAILERS
    for text in (head, trailers):
        assert "\u202e" not in text
        assert not ACTIVE.search(text)
    assert "\n" not in said


TRAILERS = {
    *("Model", "Model-Version", "Previous-Version", "Model-Source", "Model-Digest"),
    *("Model-Storage", "Logged-Model", "Run-Id", "Code-Commit", "Dataset", "Base-Model"),
    *("Registered-At", "Follows", "Release", "Evidence", "Gates"),
}


@settings(max_examples=200)
@given(st.lists(NAMES, min_size=1, max_size=20), st.floats(), st.floats())
def test_a_chart_has_its_five_lines_whatever_the_metric_is_called(
    names: list[str], value: float, before: float
) -> None:
    gates = [GateResult(name, "", value, before, passed=True) for name in names]
    drawn = chart(gates)
    if not drawn:
        return
    (fence,) = PARSER.parse(drawn)
    kind, heading, axis, scale, bars = fence.content.rstrip("\n").split("\n")
    assert (kind, heading.split()[0], scale.split()[0]) == ("xychart-beta", "title", "y-axis")
    labels = json.loads(axis.strip().removeprefix("x-axis "))
    numbers = json.loads(bars.strip().removeprefix("bar "))
    assert len(labels) == len(numbers) == min(len(names), 12)


@pytest.mark.parametrize(
    ("lower", "value", "bar"), [(False, 0.77, "[10.00]"), (True, 0.77, "[-10.00]")]
)
def test_in_a_chart_better_is_up(bar: str, value: float, *, lower: bool) -> None:
    gate = GateResult("m", "", value, 0.7, passed=True, lower_is_better=lower)
    assert f"bar {bar}" in chart([gate])


@settings(max_examples=100)
@given(stories(), st.sampled_from(ATTACKS))
def test_the_only_link_is_to_the_registry_and_goes_there(story: Story, end: str) -> None:
    link = f"https://registry.example/#/models/{end}".replace("\n", "")
    tokens = flat(PARSER.parse(body(replace(story, link=link))))
    (found,) = [token for token in tokens if token.type == "link_open"]
    assert str(found.attrs["href"]).startswith("https://registry.example/#/models/")
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= KINDS | {"link"}


@settings(max_examples=150)
@given(st.lists(stories(), min_size=1, max_size=3), st.data())
def test_releases_that_share_a_pull_request_cannot_spoil_it_either(
    told: list[Story], data: st.DataObject
) -> None:
    members = [
        Proposal(
            key=Key("production", "platform", f"chat{n}"),
            version=story.version.version,
            branch=f"sluice/production/platform/chat{n}",
            changes={},
            title=title(story),
            body=body(story),
            automatic=False,
            signal=Signal("pending", data.draw(TEXTS)),
            waits=(data.draw(NAMES),),
        )
        for n, story in enumerate(told)
    ]
    shared = grouped("sluice/production/_all", members, ())
    tokens = flat(PARSER.parse(shared.body))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= KINDS
    tops = [t for t in tokens if t.type == "heading_open" and t.tag == "h3"]
    assert len(tops) == len(members) + 2
    (comment,) = [token for token in tokens if token.type == "html_block"]
    assert comment is tokens[-1]


@settings(max_examples=200)
@given(TEXTS, NAMES, NAMES, NAMES)
def test_a_rollout_tells_of_hostile_values_as_code(
    reason: str, candidate: str, stable: str, gate: str
) -> None:
    plan = plan_of(read_release({"rollout": {"strategy": "canary", "steps": []}}))
    before = Rollout("STEP", plan, candidate, stable, weight=10)
    after = replace(before, weight=50)
    verdict = GateVerdict(gate, None, 1.5, None, "PASS")
    write = Write("raise", after, reason, Judgement("PASS", (verdict,)))
    cell = Cell(10, 1)
    batch = Batch(1, (cell,), (cell,))
    counts = Counts((GateCounts(Gate(gate), (batch,)),))
    tokens = flat(PARSER.parse(rollout_message.body(before, write, "c", counts, reason)))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}
    assert kinds <= KINDS
    (heading,) = [t for t in tokens if t.type == "heading_open"]
    assert heading.tag == "h3"


def test_without_two_values_there_is_no_chart() -> None:
    assert chart([GateResult("m", "", 0.7, None, passed=True)]) == ""
    assert chart([GateResult("m", "", 0.7, 0.0, passed=True)]) == ""


def test_a_text_that_is_too_long_loses_whole_sections_and_never_the_marker() -> None:
    version = ModelVersion("m", "2", "s", created=1, updated=1)
    story = Story(
        key=Key("production", "platform", "chat"),
        model="m",
        before="1",
        version=version,
        follow=Follow(stage="Production"),
        gates=(),
        evaluation=Evaluation(),
        plan="| a | b |\n| --- | --- |\n" + "| `x` | `y` |\n" * 9_000,
    )
    short = fit(body(story), 60_000)
    assert len(short) <= 60_000
    assert read_marker(short) == ("2", ())
    assert "### What changes\n\n_Too long" in short
    assert "rejects version `2`" in short
