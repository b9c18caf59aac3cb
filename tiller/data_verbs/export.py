"""`tiller data export STORE TARGET format=lerobot|zarr2`: a dataset as other programs read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportOptions:
    """What `tiller data export` takes.

    Args:
        format: lerobot, a folder of LeRobot v3.0; or zarr2, the replay buffer of the diffusion-policy family, a folder
            or, where TARGET ends with .zip, a zip.
        images: of lerobot: image, exact, or video, H.264 with a loss.
    """

    format: str = "lerobot"
    images: str = "image"


def export(store: str, target: str, options: ExportOptions) -> int:
    """Write a dataset of ours for another program, and say what it changes and leaves out."""
    import data.formats.export.run as exporter
    from tiller.runs.progress import Counter

    with Counter("exporting rows") as counter:
        done = exporter.export(
            store,
            target,
            format=options.format,
            images=options.images,
            on_progress=lambda rows, total: counter.show(rows, total=total),
        )
    for note in done.notes:
        print(note)
    width = max(len(old) for old, _ in done.keys)
    for old, new in done.keys:
        print(f"  {old.ljust(width)}  {new if new != old else ''}".rstrip())
    print(f"{done.episodes} episodes, {done.rows} rows, compared with what was read")
    print(f"Written to {done.target}")
    return 0
