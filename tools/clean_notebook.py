"""Strip from an executed notebook what changes at every run: timestamps, versions, kernel details."""

import sys

import nbformat


def clean(notebook):
    """Return a notebook without run-time metadata; cells, outputs, tags and alternative texts stay."""
    for cell in notebook["cells"]:
        cell["metadata"] = {
            key: value for key, value in cell["metadata"].items() if key in ("tags", "mystnb", "nbgrader")
        }
        outputs = []
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output["metadata"] = {}
            if outputs and output.get("name") == outputs[-1].get("name") == "stdout":
                outputs[-1]["text"] += output["text"]  # one print may arrive in pieces, another time in one
            else:
                outputs.append(output)
        if "outputs" in cell:
            cell["outputs"] = outputs
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    for path in sys.argv[1:]:
        nbformat.write(nbformat.from_dict(clean(nbformat.read(path, as_version=4))), path)
