"""The PDF itself: what was captured is found again in it, and nothing that a notebook holds can break it.

Executed notebooks are fabricated, the folio is built from them as after a run, and the PDF is read back.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pypdf
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mglab import cli
from mglab.clock import Clock
from mglab.errors import LabError
from mglab.folio import answer, commentary, evidence, handout, marking
from mglab.folio.build import build
from mglab.folio.exporter import FolioExporter
from mglab.study.answers import Measured

ACCOUNT = "998393112629"
LOAD_BALANCER = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:loadbalancer/net/MGLB/fea3c292d7c800c3"
TRANSCRIPT = "~$ telnet 44.204.116.160 5001\nConnected.\nConnection closed by foreign host.\n"
HOSTILE = (
    '#import "@preview/x:1.0.0": *',
    "$x$ #eval(1) @ref",
    "<script>alert(1)</script>",
    "\\input{x} שלום",
    "a\x00b",
)
INSTANCES = [
    {
        "name": f"MGAS-{i}",
        "instance_id": f"i-{i:017x}",
        "state": ["running", "pending", "terminated"][i % 3],
        "zone": f"us-east-1{'ab'[i % 2]}",
        "private_ip": f"192.168.{i % 2}.{100 + i}",
        "public_ip": f"54.204.116.{160 + i}",
        "image_id": "ami-0f7e6d5c4b3a29180",
        "load_balancer": LOAD_BALANCER,
    }
    for i in range(8)
]


class Notebooks:
    """A run's folder that fills with executed notebooks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clock = Clock(rate=60, wall_epoch=0.0, lab_epoch=1694837052.0, wall=lambda: 0.0)
        self.lab: Any = SimpleNamespace(
            folder=folder, run="demo", backend="local", account=ACCOUNT, region="us-east-1", clock=clock
        )
        self.shown: list[Any] = []

    def ran(self, source: str, act: Callable[[], Any]) -> Any:
        """Make the code cell that ``act`` would have left."""
        self.shown.clear()
        value = act()
        bundles = self.shown or [(value._repr_mimebundle_(), {})]
        return self.code(source, *(new_output("display_data", data=data, metadata=told) for data, told in bundles))

    def code(self, source: str, *outputs: Any, tags: tuple[str, ...] = ()) -> Any:
        cell = new_code_cell(source, outputs=list(outputs), execution_count=1)
        cell.metadata["tags"] = list(tags)
        return cell

    def save(self, name: str, *cells: Any) -> None:
        (self.folder / "notebooks").mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=list(cells)), self.folder / "notebooks" / f"{name}.ipynb")

    def record(self, **told: Any) -> None:
        base = {"run": "demo", "backend": "local", "author": "Ada Student", "rate": 60, "status": "completed"}
        times = {"started": "2023-09-16T04:04:12Z", "finished": "2023-09-16T04:21:40Z"}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "run.json").write_text(json.dumps({**base, **times, **told}))


def fill(run: Notebooks) -> None:
    """Make a small run with one of everything."""
    lab, folder = run.lab, run.folder
    (folder / "commentary").mkdir(parents=True)
    (folder / "commentary" / "preliminary.md").write_text("It *hangs up*, so it lives. #import is a word.")
    drawing = Figure()
    drawing.add_subplot().plot([1, 2, 1])
    run.save(
        "01_server_and_image",
        new_markdown_cell("# The health check"),
        run.code("run = ''", tags=("parameters",)),
        new_markdown_cell("## Preliminary 5. Test it\n\nSee [instances](05_load_balancer.ipynb#83.-Health)."),
        run.ran(
            "probe()", lambda: evidence.transcript(lab, "It answers", TRANSCRIPT, step="Preliminary 5", call="telnet")
        ),
        run.ran("c()", lambda: commentary.commentary(lab, "Preliminary")),
        run.ran("p()", lambda: commentary.prediction(lab, "Question 1")),
    )
    run.save(
        "05_load_balancer",
        new_markdown_cell("# The load balancer"),
        new_markdown_cell("## 83. Health"),
        run.ran("e()", lambda: evidence.evidence(lab, "Instances", INSTANCES, step="83", call="ec2 DescribeInstances")),
        run.ran("e()", lambda: evidence.evidence(lab, "The balancer", INSTANCES[:1], step="56", call="elbv2")),
        run.ran("f()", lambda: evidence.figure(lab, drawing, "Healthy hosts", step=87, alt="Two, one, two")),
    )
    run.record()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebooks:
    made = Notebooks(tmp_path / "outputs" / "demo")
    monkeypatch.setattr(evidence, "_show", lambda data, metadata=None: made.shown.append((data, metadata or {})))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return made


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u00ad\u200b]", "", text)


def text_of(path: Path) -> str:
    return squeezed("".join(page.extract_text() for page in pypdf.PdfReader(path).pages))


def outline_of(reader: pypdf.PdfReader) -> list[str]:
    def walk(items: Any) -> list[str]:
        return [title for one in items for title in (walk(one) if isinstance(one, list) else [str(one.title)])]

    return walk(reader.outline)


def test_everything_captured_is_found_again_in_the_pdf(run: Notebooks) -> None:
    fill(run)
    path = build(run.folder)
    assert path == run.folder / "Project3partA.pdf"
    text = text_of(path)
    filed = [json.loads(one.read_text()) for one in sorted((run.folder / "evidence").glob("*.json"))]
    cells = {cell for one in filed if one["kind"] == "table" for row in one["rows"] for cell in row}
    masked = {squeezed(cell).replace(ACCOUNT, "9983****2629") for cell in cells}
    assert {cell for cell in masked if cell not in text} == set()
    assert squeezed(TRANSCRIPT) in text
    assert squeezed("It hangs up, so it lives. #import is a word.") in text
    assert squeezed("captured 2023-09-16T04:04:12Z") in text
    assert ACCOUNT not in text
    assert squeezed("run = ''") not in text


def test_the_pdf_is_whole_tagged_linked_and_carries_its_source(run: Notebooks) -> None:
    fill(run)
    path = build(run.folder)
    reader = pypdf.PdfReader(path)
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    xmp = root["/Metadata"].get_data().decode()
    assert "pdfaid:part>3" in xmp and "pdfuaid:part>1" in xmp
    assert reader.metadata is not None and reader.metadata.author == "Ada Student"
    assert {"Contents", "83. Health", "Preliminary 5. Test it"} <= set(outline_of(reader))
    attached = json.loads(reader.attachments["folio.json"][0])
    assert [one["name"] for one in attached["chapters"]] == ["01_server_and_image", "05_load_balancer", ""]
    assert attached["chapters"][-1]["title"].startswith("Appendix")
    assert ACCOUNT not in json.dumps(attached)
    links = [note for page in reader.pages for note in page.get("/Annots") or []]
    assert len(links) > 10
    assert f"page{len(reader.pages)}of{len(reader.pages)}" in text_of(path)


def test_the_map_names_every_step_or_says_that_it_is_missing(run: Notebooks) -> None:
    fill(run)
    attached = json.loads(pypdf.PdfReader(build(run.folder)).attachments["folio.json"][0])
    mapped = [step for section in attached["map"] for row in section["steps"] for step in row["steps"]]
    assert tuple(mapped) == handout.STEPS
    assert "84" not in attached["absent"].split(", ") and "84–86" in attached["absent"]


@pytest.mark.parametrize("edition", ["reference", "student"])
def test_a_model_answer_stands_in_the_reference_and_not_in_the_students(run: Notebooks, edition: str) -> None:
    run.lab.edition = edition
    said = ["Of 129 requests 9 failed.", "#let x = $y$ <b>@ref</b>"]
    measured = [Measured("requests that failed", "9 of 129"), Measured(HOSTILE[0], HOSTILE[1])]
    (run.folder / "commentary").mkdir(parents=True)
    (run.folder / "commentary" / "prediction-question-2.md").write_text("All of them *fail*.")
    run.save(
        "08_terminate_instances",
        new_markdown_cell("# Terminate\n\n## Question 2. What happens?"),
        run.ran("b()", lambda: answer.beside(run.lab, "Question 2", measured=measured)),
        run.ran("a()", lambda: answer.answer(run.lab, "Question 2", said)),
    )
    run.record(edition=edition)
    path = build(run.folder)
    text = text_of(path)
    for words in ("9 of 129", "All of them fail.", "MEASURED IN THIS RUN", HOSTILE[0]):
        assert squeezed(words) in text
    for words in (answer.GENERATED, *said):
        assert (squeezed(words) in text) == (edition == "reference")
    assert (squeezed(answer.YOURS) in text) == (edition == "student")
    attached = json.loads(pypdf.PdfReader(path).attachments["folio.json"][0])
    assert (said[0] in json.dumps(attached)) == (edition == "reference")
    assert attached["warnings"] == []


def chapter_pages(path: Path) -> list[str]:
    """Give the text of every page from the first chapter's on."""
    pages = [squeezed(page.extract_text()) for page in pypdf.PdfReader(path).pages]
    return pages[next(number for number, text in enumerate(pages) if "Notebook0" in text) :]


def page_of(pages: list[str], words: str) -> int:
    (found,) = [number for number, text in enumerate(pages) if squeezed(words) in text]
    return found


def test_a_heading_its_words_and_its_table_stay_on_one_page(run: Notebooks) -> None:
    """However full the page is: each section begins a little lower than the one before it."""
    cells = []
    for n in range(24):
        rows = [{"name": f"row {n:02}.{r}", "value": r} for r in range(5 if n % 2 else 30)]
        act = partial(evidence.evidence, run.lab, f"Table of {n:02}", rows, step="84", call="")
        cells += [
            new_markdown_cell(f"## Section {n:02} begins\n\nThese words speak of what {n:02} shows."),
            run.ran(f"value = ask({n:02})", act),
            new_markdown_cell("Filling. " * 11 * (n % 5)),
        ]
    run.save("07_pages", new_markdown_cell("# Pages"), *cells)
    run.record()
    pages = chapter_pages(build(run.folder))
    for n in range(24):
        places = {
            page_of(pages, words)
            for words in (f"Section {n:02} begins", f"words speak of what {n:02}", f"ask({n:02})", f"Table of {n:02}",
                          f"row {n:02}.3")
        }  # fmt: skip
        assert len(places) == 1, n


def test_a_short_chapter_does_not_leave_its_page_empty(run: Notebooks) -> None:
    for n in range(3):
        run.save(f"0{n}_short", new_markdown_cell(f"# Chapter {n}\n\nThere is little to say about {n}."))
    run.record()
    pages = chapter_pages(build(run.folder))
    assert page_of(pages, "little to say about 1") == page_of(pages, "little to say about 2")


def test_a_figure_that_does_not_fit_lets_the_page_fill_and_never_comes_before_its_heading(run: Notebooks) -> None:
    said = new_output("display_data", data={"text/plain": "\n".join(f"✓ step {i}" for i in range(8))})
    rows = [{"name": f"row {n}", "value": n} for n in range(8)]
    acts = [partial(evidence.evidence, run.lab, f"Before {n}", rows, step="85", call="") for n in range(2)]
    cells = [run.ran("before()", act) for act in acts]
    for n in range(6):
        drawing = Figure(figsize=(7.2, 5.6 + n / 2))
        drawing.add_subplot().plot([1, 2])
        act = partial(evidence.figure, run.lab, drawing, f"Figure of {n}", step="85", alt=f"It is {n}")
        cell = run.ran(f"draw({n})", act)
        cell.outputs.insert(0, said)
        cells += [new_markdown_cell(f"## Loss {n} begins\n\nWhat happens in {n}?"), cell]
        cells += [new_markdown_cell("Filling. " * 60) for _ in range(n % 3)]
    run.save("08_losses", new_markdown_cell("# Losses"), *cells)
    run.record()
    pages = chapter_pages(build(run.folder))
    for n in range(6):
        heading, figure = page_of(pages, f"Loss {n} begins"), page_of(pages, f"Figure of {n}")
        assert heading <= figure <= heading + 1, n
        if heading == figure:
            assert pages[figure].index(f"Loss{n}begins") < pages[figure].index(f"Figureof{n}"), n


def test_missing_commentary_has_its_visible_place(run: Notebooks) -> None:
    fill(run)
    text = text_of(build(run.folder))
    assert squeezed("Not yet written. Its place is commentary/prediction-question-1.md") in text


def test_the_same_run_gives_the_same_bytes(run: Notebooks, tmp_path: Path) -> None:
    fill(run)
    first = build(run.folder, out=tmp_path / "a.pdf").read_bytes()
    assert build(run.folder, out=tmp_path / "b.pdf").read_bytes() == first


@pytest.mark.skipif(shutil.which("qpdf") is None, reason="qpdf is not installed")
def test_qpdf_finds_nothing_wrong(run: Notebooks) -> None:
    fill(run)
    checked = subprocess.run(["qpdf", "--check", str(build(run.folder))], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_hostile_content_is_set_as_it_is(run: Notebooks) -> None:
    rows = [{f"column {i}": one for i, one in enumerate(HOSTILE)}, {"column 0": "q" * 10_000}]
    long_rows = [{"n": i, "id": f"i-{i:017x}"} for i in range(300)]
    broken = base64.b64encode(b"\x89PNG\r\n\x1a\nbroken").decode()
    run.save(
        "07_is_there_a_pattern",
        new_markdown_cell(f"# {HOSTILE[0]} {HOSTILE[1]}"),
        new_markdown_cell(f"## 84. {HOSTILE[2]}\n\n##### {HOSTILE[3]}\n\n![gone](gone.png)\n\n[x](javascript:x)"),
        run.ran("e()", lambda: evidence.evidence(run.lab, HOSTILE[0], rows, step="84", call=HOSTILE[1])),
        run.ran("e()", lambda: evidence.evidence(run.lab, "Long", long_rows, step="84", call="")),
        run.ran("e()", lambda: evidence.evidence(run.lab, "Empty", [], step="84", call="")),
        run.ran("t()", lambda: evidence.transcript(run.lab, "T", "\n".join(HOSTILE), step="84", call=HOSTILE[0])),
        run.code("x" * 2000, new_output("display_data", data={"image/png": broken, "text/plain": "<Figure>"})),
        run.code("y", new_output("display_data", data={"image/svg+xml": "<svg xmlns='x'><open", "text/plain": ""})),
    )
    run.record(author=HOSTILE[0])
    path = build(run.folder)
    text = text_of(path)
    for one in (HOSTILE[0], HOSTILE[1], HOSTILE[2], "\\input{x}", "q" * 10_000, "i-0000000000000012b"):
        assert squeezed(one) in text
    assert text.count("Picturemissing") == 3
    assert "Nothingcameback" in text
    assert b"pdfaid:part>3" in pypdf.PdfReader(path).trailer["/Root"]["/Metadata"].get_data()  # type: ignore[index]


def test_what_no_font_can_show_is_boxed_and_named(run: Notebooks, caplog: pytest.LogCaptureFixture) -> None:
    run.save("07_songs", new_markdown_cell("# Songs \U00012345 \ue000 Beyoncé ✓"))
    run.record()
    text = text_of(build(run.folder))
    assert "Songs" in text and "Beyoncé✓" in text
    assert "U+E000" in text and "U+E000" in caplog.text
    assert "\ue000" not in text


def test_a_failed_run_still_gives_an_honest_folio(run: Notebooks) -> None:
    error = new_output("error", ename="CheckFailed", evalue="no gateway\n  next: step 8", traceback=["frame"])
    later = new_code_cell("later()")
    run.save("02_vpc", new_markdown_cell("# A VPC\n\n## 9. Attach it"), run.code("check()", error), later)
    (run.folder / "notebooks" / "03_security_group.ipynb").write_text('{"cells": [')
    failed = {"status": "failed", "error": "CheckFailed: no gateway"}
    run.record(status="failed", notebooks={"02_vpc": failed, "04_launch_template": {"status": "pending"}})
    path = build(run.folder)
    cover = squeezed(pypdf.PdfReader(path).pages[0].extract_text())
    assert "Incomplete" in cover and "CheckFailed:nogateway" in cover and "04_launch_template" in cover
    text = text_of(path)
    assert squeezed("The run stopped here: 1 call below had not been carried out.") in text
    assert squeezed("The notebook's file could not be read") in squeezed(text.replace("’", "'"))
    assert squeezed("There is no executed notebook of this name in the run") in text


def test_a_run_without_anything_gives_a_folio_that_says_so(run: Notebooks) -> None:
    run.folder.mkdir(parents=True)
    assert squeezed("There is no executed notebook in this run.") in text_of(build(run.folder))


def test_a_run_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no run at"):
        build(tmp_path / "none")


def test_nbconvert_exports_one_notebook_or_the_sequence(run: Notebooks) -> None:
    fill(run)
    notebook = str(run.folder / "notebooks" / "05_load_balancer.ipynb")
    one, resources = FolioExporter().from_filename(notebook)
    assert resources["output_extension"] == ".pdf"
    alone = json.loads(pypdf.PdfReader(io.BytesIO(one)).attachments["folio.json"][0])
    assert [chapter["name"] for chapter in alone["chapters"]] == ["05_load_balancer"]
    assert alone["author"] == "Ada Student" and alone["map"] == []
    whole, _ = FolioExporter(sequence=True).from_filename(notebook)
    assert whole == build(run.folder).read_bytes()


# -- for the lecturer -----------------------------------------------------------------------------------------


def test_a_submission_is_read_from_what_it_carries(run: Notebooks, tmp_path: Path) -> None:
    fill(run)
    read = marking.read(build(run.folder), "ada.pdf")
    assert (read.file, read.author, read.backend, read.agrees[:5]) == ("ada.pdf", "Ada Student", "local", "agree")
    assert (read.evidence, read.words > 0, read.pages > 3) == (4, True, True)
    assert read.per_step["83"].evidence == 1 and read.per_step["83"].captured.endswith("Z")
    assert read.per_step["87"].evidence == 1 and read.per_step["84"].evidence == 0
    assert "texts not written" in read.warnings


def test_a_pdf_that_was_changed_afterwards_does_not_agree_with_itself(run: Notebooks, tmp_path: Path) -> None:
    """The pages of one run with the document of another: what an editor of PDFs leaves behind."""
    fill(run)
    honest = build(run.folder)
    pages = pypdf.PdfReader(honest)
    document = json.loads(pages.attachments["folio.json"][0])
    text = json.dumps(document).replace("healthy", "wealthy").replace("i-0", "i-9")
    writer = pypdf.PdfWriter()
    for page in pages.pages:
        writer.add_page(page)
    writer.add_attachment("folio.json", text.encode())
    changed = tmp_path / "changed.pdf"
    with changed.open("wb") as file:
        writer.write(file)
    assert "table cells are not on the pages" in marking.read(changed).agrees


@pytest.mark.parametrize("content", [b"", b"no pdf", b"%PDF-1.7\n%%EOF"])
def test_what_is_no_folio_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pdf").write_bytes(content)
    with pytest.raises(LabError, match="x.pdf"):
        marking.read(tmp_path / "x.pdf")


def test_a_pdf_without_its_document_is_refused(run: Notebooks, tmp_path: Path) -> None:
    fill(run)
    printed = tmp_path / "printed.pdf"
    writer = pypdf.PdfWriter()
    for page in pypdf.PdfReader(build(run.folder)).pages:
        writer.add_page(page)
    with printed.open("wb") as file:
        writer.write(file)
    with pytest.raises(LabError, match="carries no folio.json"):
        marking.read(printed)


def test_the_command_prints_a_table_and_names_what_it_could_not_read(
    run: Notebooks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(run)
    (tmp_path / "holiday.pdf").write_bytes(b"no pdf")
    assert cli.main(["mark", str(build(run.folder)), str(tmp_path / "holiday.pdf")]) == 1
    said = capsys.readouterr().out
    assert "Ada Student" in said and "to 83 " in said and "holiday.pdf is no PDF" in said
