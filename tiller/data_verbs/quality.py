"""`tiller data quality`: how good the demonstrations are, and a score of each episode that training takes as weight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.quality.options import QualityOptions


@dataclass(frozen=True)
class Options(QualityOptions):
    """What `tiller data quality` takes.

    Args:
        k: nearest rows of other episodes that an action is compared with.
        rows: of all episodes that are compared with one another; of longer sets a part of each episode.
        seed: of the draw of rows and paths, where there are more episodes than can be compared.
        return_min: return of the worst behaviour, at which TQ is 0; null takes 0 where all returns are 0 or 1, else the
            least of the store.
        return_max: return of the best behaviour, at which TQ is 1; null takes 1 there, else the most of the store.
        output: folder to write to; null makes outputs/quality/<date>.
        overwrite: replace what an earlier run left in the output folder.
    """

    output: str | None = None
    overwrite: bool = False


def quality(path: str, options: Options) -> int:
    """Measure a dataset, print what stands out, and write quality.json, quality.csv and a page."""
    from data.quality.measure import measure
    from data.quality.record import JSON_NAME, write_quality
    from data.store.dataset import Dataset
    from data.store.writing.target import refuse_within_store
    from robot.description import to_json
    from tiller.runs.output import claim_folder, open_output
    from tiller.runs.progress import Counter
    from tiller.sheets.quality import lines
    from tiller.sheets.quality_page import write_quality_page

    dataset = Dataset.open(path)
    if options.output:
        refuse_within_store(Path(options.output).resolve(), options.output)
        if not options.overwrite:
            claim_folder("quality", options.output, resumes=False)  # refused before the work is done
    plain = QualityOptions(options.k, options.rows, options.seed, options.return_min, options.return_max)
    with Counter("measuring episodes") as counter:
        measured = measure(dataset, plain, lambda done, total: counter.show(done, total=total))
    output = open_output(
        "quality", {"path": path, **to_json(options)}, options.output, overwrite=options.overwrite, reads=[path],
        resumes=False,
    )  # fmt: skip
    with output.kept_if_used():
        write_quality_page(output.path / "quality.html", measured)
        write_quality(measured, output.path)
    print("\n".join(lines(measured)))
    figures = {name: value for name, value in measured.figures.items() if value is not None}
    output.finish(figures)
    print(
        f"To train by the scores: tiller train data={path} training.order.name=score "
        f"training.order.file={output.path / JSON_NAME}"
    )
    return 0
