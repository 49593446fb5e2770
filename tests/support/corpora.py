"""Corpora of files that are audio by their names only."""


def touch(root, *names):
    """Files that look like audio by their names only: a layout must not open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(files):
    return [file.name for file in files]


def groups(files):
    return [file.group for file in files]


# --- CSV manifests


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
