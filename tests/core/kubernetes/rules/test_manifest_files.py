import textwrap
from pathlib import Path

import pytest

from sluice.core.documents.limits import OBJECTS
from sluice.core.finding import Place, UsageError
from sluice.core.kubernetes.rules import semantic_problems
from sluice.workspace.manifests import Manifests, parse_manifests, read_manifests
from sluice.workspace.semantic_texts import read_semantic_rules


def parsed(text: str | bytes) -> Manifests:
    manifests = Manifests()
    raw = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
    parse_manifests("a.yaml", raw, manifests)
    return manifests


def rules(manifests: Manifests) -> list[str]:
    return [finding.rule for finding in manifests.findings]


def test_every_document_and_every_item_of_a_list_is_an_object() -> None:
    manifests = parsed("""\
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: a}
        ---
        # nothing here
        ---
        apiVersion: v1
        kind: List
        items:
          - apiVersion: v1
            kind: Service
            metadata: {name: b}
            spec:
              type: Nodeport
              ports: [{port: 80}]
    """)
    assert [loaded.data["metadata"]["name"] for loaded in manifests.objects] == ["a", "b"]
    problems = semantic_problems(manifests.pairs(), "1.34", read_semantic_rules())
    [finding] = manifests.located(problems)
    assert (finding.rule, finding.place) == ("SEM080", Place("a.yaml", 14, 13))
    assert manifests.findings == []


def test_a_mapping_is_placed_at_its_key_and_what_is_missing_at_its_parent() -> None:
    manifests = parsed("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  hostPID: true\n")
    [loaded] = manifests.objects
    assert loaded.place(("metadata",)) == Place("a.yaml", 3, 1)
    assert loaded.place(("metadata", "name")) == Place("a.yaml", 4, 9)
    assert loaded.place(("spec", "containers", 0)) == Place("a.yaml", 5, 1)


def test_scalars_are_read_as_the_clusters_own_tools_read_them() -> None:
    manifests = parsed("""\
        apiVersion: v1
        kind: X
        a: [yes, off, 0644, 0x1F, 1_000, -5, 1.5, 1:30, 2024-01-01, .nan, ~, "yes", 1e3]
        b: 99999999999999999999999999999999
        1: numbers are keys as text
    """)
    [loaded] = manifests.objects
    assert loaded.data["a"] == [
        *(True, False, 420, 31, 1000, -5, 1.5),
        *("1:30", "2024-01-01", ".nan", None, "yes", 1000),
    ]
    assert loaded.data["b"] == 1e32
    assert loaded.data["1"] == "numbers are keys as text"


def test_anchors_and_merge_keys_are_written_out() -> None:
    manifests = parsed("""\
        apiVersion: v1
        kind: X
        base: &base {a: 1, b: 2}
        own: {<<: *base, b: 3}
        both: {<<: [*base, {c: 4}]}
    """)
    [loaded] = manifests.objects
    assert loaded.data["own"] == {"a": 1, "b": 3}
    assert loaded.data["both"] == {"a": 1, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
                for old, new in ("ab", "bc", "cd", "de", "ef", "fg")
            ),
            "YAML012",
        ),
        ("a: &a [*a]\n", "YAML012"),
        ("[" * 100_000, "YAML009"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(300)), "YAML009"),
        ("a: {{ .Values.a }}\n", "YAML010"),
        ("a: [\n", "YAML003"),
        ("a: !!python/name:os.system x\n", "YAML005"),
        ("apiVersion: v1\nkind: X\na: 1\na: 2\n", "YAML008"),
        ("a: 1\n", "YAML013"),
        (b"a: \xff\n", "YAML003"),
        (b" " * (OBJECTS.size + 1), "YAML001"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("YAML") else "text",
)
def test_what_is_refused(text: str | bytes, rule: str) -> None:
    assert rules(parsed(text)) == [rule]


def test_what_comes_before_broken_text_is_still_looked_at() -> None:
    manifests = parsed("apiVersion: v1\nkind: X\n---\na: [\n")
    assert (len(manifests.objects), rules(manifests)) == (1, ["YAML003"])


def test_a_directory_is_read_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.yml").write_text("apiVersion: v1\nkind: X\n")
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "Y"}')
    (tmp_path / "notes.txt").write_text("kind: Z")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.json")
    manifests = read_manifests(tmp_path)
    assert [path for path, _ in manifests.pairs()] == ["a.json", "b/x.yml"]
    assert [str(finding.place) for finding in manifests.findings] == ["link.yaml:1:1"]


def test_what_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no directory"):
        read_manifests(tmp_path / "none")
