"""HTML to text, language, tokens and fingerprint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.text import detect_language, fingerprint, fold, html_to_text, tokens

# Letters whose upper case has the same length: "ß" and ligatures are tested by name below.
LETTERS = st.text(alphabet="abcxyzæøåéčřůñ АБЯёй東京ガン 0123", max_size=40)
ANYTHING = st.text(max_size=200)


class TestHtml:
    def test_blocks_become_lines_and_inline_tags_join(self) -> None:
        assert (
            html_to_text("One <b>wo</b>rd<p>two</p>three<br>four<ul><li>five</ul>")
            == "One word\ntwo\nthree\nfour\nfive"
        )

    def test_scripts_styles_and_comments_are_dropped(self) -> None:
        html = "a<script>alert('x')</script>b<style>p{}</style>c<!-- hidden -->d<noscript>e</noscript>"
        assert html_to_text(html) == "abcd"

    def test_entities_are_resolved_once(self) -> None:
        assert html_to_text("Fish &amp; chips &#8217;s &lt;b&gt;") == "Fish & chips ’s <b>"

    def test_an_encoding_declaration_does_not_matter(self) -> None:
        assert html_to_text("<?xml version='1.0' encoding='latin1'?><p>København</p>") == "København"

    def test_plain_text_keeps_its_less_than_sign(self) -> None:
        assert html_to_text("5 < 6 and  7") == "5 < 6 and 7"

    def test_white_space_is_collapsed(self) -> None:
        assert html_to_text(" a\t b\u00a0c \r\n\n\n d\r") == "a b c\nd"

    @pytest.mark.parametrize(
        "html", ["", "<", "<<<>>>", "<p", "&", "&#x110000;", "<!--", "\x00<b>\ud800</b>", "</div>" * 9]
    )
    def test_broken_markup_never_raises(self, html: str) -> None:
        assert isinstance(html_to_text(html), str)

    def test_text_inside_very_deep_nesting_does_not_crash(self) -> None:
        assert isinstance(html_to_text("<div>" * 50_000 + "x"), str)

    @given(ANYTHING)
    def test_any_text_gives_text_without_control_characters(self, html: str) -> None:
        found = html_to_text("<p>" + html)
        assert not any(c < " " and c != "\n" for c in found)
        assert found == found.strip()


class TestFold:
    def test_case_width_and_accents_fold(self) -> None:
        assert fold("Ｃafé ÆRØ Ångström Žluťoučký Straße ﬁn") == "cafe aero angstrom zlutoucky strasse fin"

    def test_kana_keep_their_voicing_marks(self) -> None:
        assert fold("ガンダム") == "ガンダム"
        assert fold("ｶﾞﾝﾀﾞﾑ") == "ガンダム"
        assert fold("カ\u3099") == "ガ"

    def test_cyrillic_short_i_is_a_letter_of_its_own(self) -> None:
        assert fold("Й Ё") == "й е"

    @given(ANYTHING)
    def test_folding_twice_changes_nothing_more(self, text: str) -> None:
        assert fold(fold(text)) == fold(text)


class TestTokens:
    def test_english_words_are_stemmed_and_freed_of_function_words(self) -> None:
        assert tokens("The tariffs on the cars were raised", "en") == ["tariff", "car", "rais"]

    def test_inflected_forms_of_danish_and_czech_meet(self) -> None:
        assert tokens("Skatten", "da") == tokens("skat", "da")
        assert tokens("Ministři", "cs") == tokens("ministra", "cs")

    def test_accents_typed_or_not_are_the_same_word(self) -> None:
        assert tokens("Příliš žluťoučký kůň København résumé", "cs") == tokens(
            "prilis zlutoucky kun kobenhavn resume", "cs"
        )

    def test_chinese_and_japanese_become_overlapping_pairs(self) -> None:
        assert tokens("中国经济", "zh") == ["中国", "国经", "经济"]
        assert tokens("日", "ja") == ["日"]

    def test_mixed_scripts_are_read_run_by_run(self) -> None:
        assert tokens("ToyotaのEV、2025年", "ja") == ["toyota", "の", "ev", "2025", "年"]

    def test_numbers_stay_and_thousands_marks_do_not(self) -> None:
        assert tokens("289,000 orders, 3.5 percent, 2024", "en") == ["289000", "order", "3.5", "percent", "2024"]

    def test_initials_are_one_word_and_so_is_the_country(self) -> None:
        assert tokens("U.S. and US", "en") == ["us", "us"]

    def test_indic_vowel_signs_do_not_split_words(self) -> None:
        assert len(tokens("हिन्दी समाचार", "und")) == 2

    def test_an_unknown_language_is_neither_stemmed_nor_stopped(self) -> None:
        assert tokens("The cars", "und") == ["the", "cars"]

    def test_a_region_in_the_language_tag_does_not_matter(self) -> None:
        assert tokens("The cars", "en-GB") == tokens("The cars", "en")

    @given(LETTERS, st.sampled_from(["en", "da", "cs", "ja", "und"]))
    def test_case_never_matters(self, text: str, language: str) -> None:
        assert tokens(text.upper(), language) == tokens(text.lower(), language)

    @given(ANYTHING, st.sampled_from(["en", "zh", "ru", "xx", ""]))
    def test_any_text_gives_tokens_without_space(self, text: str, language: str) -> None:
        assert all(token and not any(map(str.isspace, token)) for token in tokens(text, language))


class TestLanguage:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("Regeringen vil sænke skatten på arbejde i næste uge, siger ministeren", "da"),
            ("Vláda schválila nový rozpočet na příští rok a zvýší daně z příjmu", "cs"),
            ("The government will cut taxes on labour next week, the minister says", "en"),
            ("日本の首相が東京で会見し、新しい政策を発表した", "ja"),
            ("中国经济增长放缓，政府推出新措施", "zh"),
            ("한국 정부가 새로운 정책을 발표했다", "ko"),
        ],
    )
    def test_languages_are_told_apart(self, text: str, language: str) -> None:
        assert detect_language(text) == language

    def test_a_hint_decides_on_short_text(self) -> None:
        assert detect_language("Trump", "da") == "da"
        assert detect_language("日本経済新聞", "ja") == "ja"

    def test_clear_text_overrules_a_wrong_hint(self) -> None:
        assert detect_language("Statsministeren mødte i dag den norske udenrigsminister i København", "en-US") == "da"

    @pytest.mark.parametrize("hint", [None, "", "und", "not a tag"])
    def test_text_without_letters_is_undetermined(self, hint: str | None) -> None:
        assert detect_language("123 !", hint) == "und"

    def test_regional_norwegian_and_chinese_have_one_name(self) -> None:
        assert detect_language("", "nb-NO") == "no"
        assert detect_language("", "zh_Hans") == "zh"

    @given(ANYTHING)
    def test_any_text_has_a_code(self, text: str) -> None:
        assert 2 <= len(detect_language(text)) <= 3


class TestFingerprint:
    @given(LETTERS, LETTERS)
    def test_case_width_and_space_do_not_count(self, title: str, text: str) -> None:
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
        assert fingerprint(title, text) == fingerprint(f" {title.upper()} \n", wide.replace(" ", "\u3000 "))

    def test_accents_and_punctuation_do_not_count(self) -> None:
        assert fingerprint("Café – review!", "So, good.") == fingerprint("Cafe review", "So good")

    def test_another_number_is_another_text(self) -> None:
        assert fingerprint("5 dead", "") != fingerprint("6 dead", "")

    def test_what_moves_from_title_to_text_counts(self) -> None:
        assert fingerprint("ab", "c") != fingerprint("a", "bc")
