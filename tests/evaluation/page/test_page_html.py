from __future__ import annotations

import base64
import hashlib
import html
import json
import re

import pytest

from pipeline.evaluation.page.html import embed, render

PIECES = ("</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\udce9", "\u202e", "'\"\\")


@pytest.mark.parametrize("text", PIECES)
def test_embedded_json_holds_nothing_that_could_end_its_element(text):
    written = embed({"name": text, text: [text]})
    assert json.loads(written) == {"name": text, text: [text]}
    assert written.isascii()
    assert not set("<>&") & set(written)


def test_numbers_that_are_none_are_refused_rather_than_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed([float("nan")])


def test_the_policy_lets_only_the_own_script_and_style_run(make_case):
    text = make_case(("cats", "dogs")).write()
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1])
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for element in ("script", "style"):
        (content,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert not re.search(r'\sstyle="', text)  # which the policy would drop
    assert not re.search(r"\son[a-z]+=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


def test_a_page_names_no_address_but_its_own_data(make_case):
    text = make_case(("cats", "dogs")).write()
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', text))
    assert all(link.startswith("data:image/") for link in re.findall(r'src="([^"]*)"', text))


def test_what_a_template_lacks_is_an_error_and_not_a_hole():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render({})
