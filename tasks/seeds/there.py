"""Whether the seeds that were named are there at all: the commonest mistake, told before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import ConfigError, did_you_mean

HUB_PREFIX = "hf:"
SEED_FORMS = "seeds may be .jsonl, .json, .csv, .tsv, .txt, .yaml, .parquet, a folder, or hf:NAME"


def check_there(seeds: object) -> None:
    """Raise ConfigError where seeds are named as a file or a folder that is not there."""
    if isinstance(seeds, str) and not seeds.startswith(HUB_PREFIX):
        path_there(seeds)


def path_there(name: str) -> Path:
    """The path of a file or a folder of seeds. Raises ConfigError where there is none, with what is called nearly so."""
    path = Path(name).expanduser()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(path, name) from error
    except OSError as error:
        raise ConfigError("cannot read the seeds", f"{name}: {error.strerror}", "see to its permissions") from error
    return path


def _missing(path: Path, name: str) -> ConfigError:
    """Says which part of the path is not there, and what its folder has that is called nearly so."""
    what = "no such file"
    while not path.parent.is_dir():
        path, what = path.parent, f"no folder {path.parent.name}"
    if path.exists():
        return ConfigError(f"{path.name} is a file, not a folder", name, f"give {path}")
    beside = (other.name for other in path.parent.iterdir())
    return ConfigError(what, name, did_you_mean(path.name, beside, SEED_FORMS, at_least=0.6))
