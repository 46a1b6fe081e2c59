"""From cells to blocks: what is shown, what is left out, and that no text becomes markup."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from mglab import display
from mglab.folio import ansi, blocks, markdown, pictures
from mglab.folio.blocks import Gathered, Place
from mglab.folio.evidence import EVIDENCE_MIME, FIGURE_MIME

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = (), count: int | None = 1) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
        "execution_count": count,
    }


def prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def shows(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def read(*cells: dict[str, Any], gathered: Gathered | None = None) -> list[dict[str, Any]]:
    return blocks.of_notebook({"cells": list(cells)}, "05_load_balancer", None, gathered or Gathered())


def test_parameters_and_papermills_banners_are_left_out() -> None:
    banner = (
        '<span id="papermill-error-cell" style="color:red">Execution using papermill encountered an exception</span>'
    )
    tagged = prose("An Exception was encountered")
    tagged["metadata"] = {"tags": ["papermill-error-cell-tag"]}
    cells = [code("run = ''", tags=("parameters",)), code("run = 'x'", tags=("injected-parameters",))]
    assert read(*cells, prose(banner), tagged) == []


def test_a_code_cell_keeps_its_output_with_it_and_hides_code_when_told() -> None:
    (cell,) = read(code("print(1)", stream("1\n")))
    assert cell["code"] == "print(1)"
    assert cell["out"] == [{"t": "stream", "name": "stdout", "spans": [{"text": "1"}], "lines": 1}]
    (hidden,) = read(code("print(1)", stream("1\n"), tags=("hide-input",)))
    assert hidden["code"] == ""


def test_pieces_of_one_stream_are_joined_and_a_progress_line_keeps_its_end() -> None:
    (cell,) = read(code("wait()", stream("pending\rpending 30 s"), stream("\ravailable\n"), stream("oh", "stderr")))
    assert [("".join(span["text"] for span in one["spans"]), one["name"]) for one in cell["out"]] == [
        ("available", "stdout"),
        ("oh", "stderr"),
    ]


def test_endless_output_is_cut_and_says_so() -> None:
    (cell,) = read(code("x", stream("\n".join(map(str, range(5000))))))
    assert cell["out"][1] == {"t": "note", "text": "4,880 more lines are in the notebook."}


def test_evidence_becomes_a_table_and_a_mark_on_the_map() -> None:
    gathered = Gathered()
    data = {
        "title": "Subnets",
        "step": "5",
        "columns": [{"key": "n", "label": "Name"}, {"key": "f", "label": "Free", "kind": "number"}],
        "rows": [["public 1", 78.0], ["public 2"]],
        "account": "998393112629",
    }
    (cell,) = read(code("evidence(...)", shows(**{EVIDENCE_MIME: data, "text/html": "<p>"})), gathered=gathered)
    block = cell["out"][0]
    assert block["step"] == "Step 5"
    assert [[one["s"] for one in row] for row in block["layout"]["parts"][0]["rows"]] == [
        ["public 1", "78"],
        ["public 2", "—"],
    ]
    assert [(mark.steps, mark.kind) for mark in gathered.marks] == [(("5",), "evidence")]


def test_records_and_frames_become_tables_and_widgets_are_named() -> None:
    own = display.table([{"name": "a"}])
    outputs = [
        shows(**own._repr_mimebundle_(), **{"text/html": own._repr_html_()}),
        shows(**{"text/html": "<table><tr><th>x</th></tr><tr><td>1</td></tr></table>", "text/plain": "x"}),
        shows(**{"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"}),
        shows(**{"application/x-odd": "?"}),
    ]
    (cell,) = read(code("x", *outputs))
    assert [one["t"] for one in cell["out"]] == ["table", "table", "note", "note"]


def test_pictures_are_kept_once_and_missing_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    gathered = Gathered(run_folder=tmp_path)
    inside = base64.b64encode(PNG).decode()
    filed = {"title": "T", "step": "83", "alt": "words", "svg": "figures/a.svg"}
    (cell, missing) = read(
        code(
            "x",
            shows(**{"image/png": inside, "text/plain": "<Figure size 640x480>"}),
            shows(**{FIGURE_MIME: filed, "image/png": inside}),
            shows(**{"text/html": f'<img src="data:image/png;base64,{inside}">'}),
        ),
        prose("![a map](../../../etc/passwd)"),
        gathered=gathered,
    )
    sources = [one["src"] for one in cell["out"]]
    assert sources[0] == sources[2] and sources[0].endswith(".png") and sources[1].endswith(".svg")
    assert len(gathered.assets) == 2
    assert cell["out"][0]["alt"] == "Figure"
    assert missing["src"] is None
    assert gathered.warnings == ["The picture ../../../etc/passwd of 05_load_balancer is missing."]


def test_a_picture_that_came_as_png_stands_in_the_folio_with_its_caption() -> None:
    filed = {"title": "CloudWatch's own picture", "step": "87", "alt": "hosts", "svg": "", "png": "figures/a.png"}
    gathered = Gathered()
    bundle = {FIGURE_MIME: filed, "image/png": base64.b64encode(PNG).decode()}
    (cell,) = read(code("x", shows(**bundle)), gathered=gathered)
    (figure,) = cell["out"]
    assert (figure["t"], figure["title"], figure["step"], figure["alt"]) == (
        "figure", "CloudWatch's own picture", "Step 87", "hosts",
    )  # fmt: skip
    assert gathered.assets == {figure["src"]: PNG}
    assert gathered.warnings == []


def test_nothing_outside_of_the_run_is_read_or_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    run = tmp_path / "run"
    run.mkdir()
    for source in ("../secret.png", str(tmp_path / "secret.png"), "http://127.0.0.1/x.png", "//host/x.png", "a\x00b"):
        assert pictures.find(source, [run], {}) == b""


def test_an_error_keeps_its_words_and_says_nothing_twice() -> None:
    error = {"output_type": "error", "ename": "CheckFailed", "evalue": "no gateway\n  next: step 8"}
    short = {**error, "traceback": ["\x1b[31mCheckFailed: no gateway\n  next: step 8\x1b[0m"]}
    long = {**error, "traceback": [f"frame {i}" for i in range(100)]}
    (cell,) = read(code("check()", short, long))
    assert [one["name"] for one in cell["out"]] == ["CheckFailed", "CheckFailed"]
    assert cell["out"][0]["spans"] == []
    assert cell["out"][1]["spans"][0]["text"].startswith("…\nframe 76")


def test_where_the_run_stopped_is_said_at_the_place() -> None:
    cells = [code("a"), prose("## 46. On"), code("b", count=None), code("c", count=None)]
    kinds = [one["t"] for one in read(*cells)]
    assert kinds == ["cell", "heading", "banner", "cell", "cell"]
    never = read(prose("# Title"), code("a", count=None))
    assert "has not been run" in never[0]["text"]


def test_the_students_words_are_read_again_when_the_folio_is_built(tmp_path: Path) -> None:
    (tmp_path / "commentary").mkdir()
    (tmp_path / "commentary" / "45.md").write_text("# Mine\n\nWritten *later*.")
    mime = blocks.COMMENTARY_MIME
    then = {"kind": "commentary", "about": "45", "text": "", "file": "commentary/45.md"}
    lost = {"kind": "prediction", "about": "Question 1", "text": "", "file": "../../etc/passwd"}
    gathered = Gathered(run_folder=tmp_path)
    (one, two) = read(
        code("commentary(lab, 45)", shows(**{mime: then})),
        code("prediction(lab, 1)", shows(**{mime: lost})),
        gathered=gathered,
    )
    assert one["code"] == ""
    assert one["out"][0]["written"] and one["out"][0]["c"][0]["t"] == "subhead"
    assert not two["out"][0]["written"]
    assert [gap["title"] for gap in gathered.unwritten] == ["Prediction · Question 1"]


def test_markdown_keeps_html_tex_and_typst_as_plain_words() -> None:
    (para,) = markdown.parse('#import "x": * $x$ <script>alert(1)</script> `#eval(1)` [a](javascript:x)')
    assert markdown.plain(para["c"]) == '#import "x": * $x$ <script>alert(1)</script> #eval(1) [a](javascript:x)'


def test_markdown_tables_lists_and_pictures_have_their_form() -> None:
    parsed = markdown.parse("| a | b |\n|---:|---|\n| 1 | 2 |\n\n1. one\n   - two\n\n![alt](x.png)\n\n> said")
    assert [one["t"] for one in parsed] == ["mdtable", "enum", "figure", "quote"]
    assert parsed[0]["head"][0]["align"] == "right"
    assert len(parsed[0]["rows"]) == 1


def test_headings_of_outputs_do_not_become_sections() -> None:
    (cell,) = read(code("x", shows(**{"text/markdown": "## 45. Not a step"})))
    assert [one["t"] for one in cell["out"]] == ["subhead"]


def test_terminal_colours_become_spans_and_control_characters_go() -> None:
    assert ansi.spans("\x1b[32mgreen\x1b[0m\x00 a\tb\x1b]0;title\x07") == [
        {"text": "green", "ink": "#1b6e3c"},
        {"text": " a\tb".expandtabs(8)},
    ]
    assert ansi.clean("a\ud800\ufeffb\r\nc") == "ab\nc"


def test_links_between_notebooks_find_the_heading() -> None:
    gathered = Gathered()
    blocks.of_cell(prose("## 45. Create a target group"), Place("05_load_balancer"), gathered)
    assert blocks.anchor("05_load_balancer", "45.-Create-a-target-group") in gathered.anchors


def test_lines_that_were_said_one_after_the_other_stand_as_one_piece() -> None:
    said = [shows(**{"text/plain": f"✓ step {n}: done"}) for n in range(3)]
    (cell,) = read(code("go()", *said, stream("warning", "stderr")))
    assert [(one["name"], one["lines"]) for one in cell["out"]] == [("result", 3), ("stderr", 1)]
    assert "".join(span["text"] for span in cell["out"][0]["spans"]).splitlines() == [
        "✓ step 0: done", "✓ step 1: done", "✓ step 2: done",
    ]  # fmt: skip


def test_a_short_paragraph_is_kept_with_the_cell_it_speaks_of_and_a_long_one_is_not() -> None:
    first, second, _, long, _ = read(prose("One.\n\nTwo."), code("x", stream("1")), prose("word " * 200), code("y"))
    assert [one.get("leads", False) for one in (first, second, long)] == [False, True, False]


def test_a_cell_that_only_the_reference_edition_answers_leaves_no_bare_code() -> None:
    assert read(code('found = f(seen)\ninsight(lab, "T", found, step="1", call="")')) == []
    assert len(read(code('insight(lab, "T", found, step="1", call="")', stream("shown")))) == 1
    assert read(code('insight(lab, "T", found, step="1", call="")', count=None))[-1]["code"], "it was not carried out"


def test_a_tall_figure_below_much_may_go_to_the_next_page_and_no_other() -> None:
    def figure(high: int) -> dict[str, Any]:
        drawn = base64.b64encode(PNG[:16] + (160).to_bytes(4, "big") + high.to_bytes(4, "big") + PNG[24:]).decode()
        return shows(**{FIGURE_MIME: {"title": "F", "step": "85"}, "image/png": drawn})

    said = shows(**{"text/plain": "✓ done"})
    first, low, tall = read(*(code("a()", said, figure(high)) for high in (150, 50, 150)))
    assert [one["out"][1]["adrift"] for one in (first, low, tall)] == [False, False, True]
    *_, alone = read(prose("It is drawn."), code("c()", figure(150)))
    assert not alone["out"][0]["adrift"]


def test_a_figure_s_height_on_the_page_is_read_from_its_own_words() -> None:
    assert pictures.height_cm(b'<svg height="300pt" version="1.1" width="600pt">') == 8.0
    assert pictures.height_cm(b"<svg viewBox='0 0 1 1'>") == 0.0 and pictures.height_cm(b"GIF8") == 0.0
    assert pictures.height_cm(PNG) == 16.0
