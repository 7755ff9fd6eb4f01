"""The code that a chapter shows is the code of the package, function by function."""

import ast

import pytest
from book_files import CHAPTERS, ROOT, cells

SHOWN = {
    "00_gan_primer": {"real_loss", "fake_loss", "generator_loss"},
    "01_data_split": {"split_labeled", "draw_rows"},
    "02_discriminators": {"build_trunk", "build_discriminators", "class_loss"},
    "03_generator": {"build_generator"},
    "04_training": {
        "draw_noise",
        "update_class_discriminator",
        "update_binary_on_real",
        "update_binary_on_fake",
        "update_generator",
        "train_step",
    },
    "05_evaluation": {"evaluate_logits", "negative_log_likelihood", "expected_calibration_error"},
    "06_fair_comparison": {"paired_difference"},
    "07_why_old_code_fails": {"update_class_discriminator"},
    "08_feature_matching": {
        "real_logits_of",
        "feature_matching_loss",
        "discriminate_fakes",
    },
    "10_pseudo_labels": {"consistency_loss", "pseudo_labels", "falling_confidence"},
}


def functions(source):
    """Return every function of a source text as a normalised dump, keyed by name; of methods, only SGAN's."""
    tree = ast.parse(source)
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "SGAN":
            found += [method for method in node.body if isinstance(method, ast.FunctionDef) and method.name[0] != "_"]
    return {node.name: normalised(node) for node in found}


def normalised(function):
    """Dump a function without docstring, annotations, decorators and a leading check_…() call."""
    body = list(function.body)
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    first_call = body[0].value if body and isinstance(body[0], ast.Expr) else None
    if isinstance(first_call, ast.Call) and getattr(first_call.func, "id", "").startswith("check_"):
        body = body[1:]
    function.body, function.decorator_list, function.returns = body or [ast.Pass()], [], None
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.dump(function)


PACKAGE = {}
for module in sorted((ROOT / "sgan_helpers").rglob("*.py")):
    PACKAGE.update(functions(module.read_text()))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_functions_in_a_chapter_are_those_of_the_package(path):
    shown = {}
    for cell in cells(path, "code"):
        if "%pip" not in cell["source"]:
            shown.update(functions(cell["source"]))
    assert SHOWN.get(path.stem, set()) <= set(shown), "a function that this chapter teaches is not shown"
    for name in set(shown) & set(PACKAGE):
        assert shown[name] == PACKAGE[name], f"{name} differs from the package's"


def test_a_changed_function_is_noticed():
    source = "def real_loss(real_logits):\n    '''Doc.'''\n    return tf.reduce_mean(tf.nn.softplus(-real_logits))\n"
    assert functions(source)["real_loss"] == PACKAGE["real_loss"]
    assert functions(source.replace("-real", "real"))["real_loss"] != PACKAGE["real_loss"]
