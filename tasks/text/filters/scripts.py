"""An answer in another script than it should be, or with words of another script in the middle of a sentence.

A model of many languages falls into another one for a word or two ("the next 步骤 is"). Foreign to an answer is a script that
it is not written in and that nobody used before. What is quoted, in brackets, in code or marked, is a term; and where the
question or the answer names a language of that script ("in Japanese", "tiếng Nga"), its words are what it is about.
Latin letters and single Greek ones are never foreign: names, units and formulas have them.
"""

from __future__ import annotations

import re
from collections import Counter

from pydantic import Field

from tasks.patterns import pattern
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.words import nfc

LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
SCRIPTS = {
    "han": "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "kana": "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff6f\uff71-\uff9d",
    "hangul": "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af",
    "cyrillic": "\u0400-\u052f",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "arabic": "\u0620-\u065f\u066e-\u06d3\u0750-\u077f\u08a0-\u08ff",
    "hebrew": "\u05d0-\u05ea",
    "thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "devanagari": "\u0900-\u0963\u0971-\u097f",
    "bengali": "\u0980-\u09ff",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "armenian": "\u0531-\u0587",
    "georgian": "\u10a0-\u10ff",
    "khmer": "\u1780-\u17d3",
    "burmese": "\u1000-\u109f",
    "lao": "\u0e81-\u0eb9\u0ec0-\u0ecd",
    "ethiopic": "\u1200-\u137f",
}
NAMES = {
    "han": r"chinese|mandarin|cantonese|japan|kanji|hanzi|korean|hanja|taiwan|china|tokyo|tiếng (?:trung|hoa|nhật|hán|quan thoại)|trung quốc|nhật bản|chữ hán"
    r"|[中汉漢][文语語字]|日[文语語本]|普通话|粤语|中国|中國|漢字|汉字",
    "kana": r"japan|kana\b|katakana|hiragana|kanji|haiku|anime|manga|tokyo|tiếng nhật|nhật bản|日[文语語本]|日本|假名|仮名|カタカナ|ひらがな",
    "hangul": r"korea|hangul|k-pop|seoul|tiếng hàn|hàn quốc|triều tiên|韩[文语国]|韓[文語国國]|朝鲜|朝鮮|ハングル",
    "cyrillic": r"russia|cyrillic|ukrain|bulgaria|serbia|macedonia|belarus|kazakh|mongol|kyrgyz|tajik|slavic|soviet|moscow|tiếng (?:nga|ukraina|bulgaria|serbia)|(?:nước|người) nga\b"
    r"|俄[语語文罗羅国國]|西里尔|乌克兰|烏克蘭|ロシア|ウクライナ|キリル|蒙古|モンゴル",
    "greek": r"greek|greece|tiếng hy lạp|hy lạp|希腊|希臘|ギリシ[ャア]",
    "arabic": r"arab|persian|farsi|urdu|iran|islam|muslim|quran|qur'an|pashto|kurdish|sindhi|uyghur|middle east|tiếng (?:ả rập|ba tư|urdu)|ả rập|hồi giáo"
    r"|阿拉伯|波斯|乌尔都|伊斯兰|アラビア|ペルシャ|ペルシア|ウルドゥー|イスラム",
    "hebrew": r"hebrew|jewish|yiddish|israel|torah|tiếng (?:do thái|hebrew)|do thái|希伯来|希伯來|以色列|ヘブライ|ユダヤ|イスラエル",
    "thai": r"\bthai|bangkok|tiếng thái|thái lan|泰[语語文国國]|タイ[語国]|タイの",
    "devanagari": r"hindi|sanskrit|nepal|marathi|india|devanagari|buddh|yoga|tiếng (?:hindi|phạn)|ấn độ|印地|梵[语語文]|印度|尼泊尔|ヒンディー|サンスクリット|インド|ネパール",
    "bengali": r"bengal|bangla|tiếng bengal|孟加拉|ベンガル",
    "tamil": r"tamil|泰米尔|タミル",
    "telugu": r"telugu|泰卢固|テルグ",
    "armenian": r"armenia|亚美尼亚|アルメニア",
    "georgian": r"georgia|格鲁吉亚|グルジア|ジョージア",
    "khmer": r"khmer|cambodia|campuchia|高棉|柬埔寨|クメール|カンボジア",
    "burmese": r"burm|myanmar|miến điện|缅甸|ミャンマー|ビルマ",
    "lao": r"\blao|tiếng lào|老挝|ラオス",
    "ethiopic": r"amharic|ethiopia|tigrinya|埃塞俄比亚|阿姆哈拉|エチオピア|アムハラ",
}
NAMED = {script: pattern(names, re.IGNORECASE) for script, names in NAMES.items()}
OF_LANGUAGES = pattern(
    r"\btranslat|(?<!programming )\blanguages?\b|\bmultilingual|\bbilingual|\balphabets?\b|\bunicode\b|\betymolog|\bdịch\b|ngôn ngữ|song ngữ|翻译|翻譯|译成|译为|语言|語言|双语|翻訳|訳し|訳せ|言語|外国語|語源",
    re.IGNORECASE,
)
SCRIPT_RUN = pattern("|".join(f"(?P<{script}>[{signs}]+)" for script, signs in {"latin": LATIN, **SCRIPTS}.items()))
TERMS = pattern(
    r"\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|‘[^’\n]{1,200}’|「[^」\n]{1,200}」|『[^』\n]{1,200}』|«[^»\n]{1,200}»|《[^》\n]{1,200}》|【[^】\n]{1,200}】"
    r"|\([^()\n]{1,200}\)|（[^（）\n]{1,200}）|\[[^\[\]\n]{1,200}\]|(\*\*?|__?)(?=\S)[^*_\n]{1,200}\1|\$[^$\n]{1,400}\$|https?://\S+|<[^<>\n]{1,200}>"
)
TOGETHER = {"kana": ("han",), "han": (), "hangul": (), "latin": ()}
"""By the script that an answer is written in: those that belong to it."""
JAPANESE = 0.1  # share of kana among Han and kana from which on a text is Japanese
GREEK_LETTERS = 4  # a shorter run is a formula


class Scripts(CheckSettings):
    """Answers with words of a script that they are not written in."""

    max_foreign: int = Field(
        1, ge=0, description="letters of a foreign script that may stand in sentences: one can be a slip of the pen"
    )
    min_letters: int = Field(
        20,
        ge=1,
        description="letters that question and answer need to be compared as a whole; Han characters count twice",
    )


def foreign_script(answer: CheckedAnswer, settings: Scripts) -> Refusal | None:
    """Refuse an answer written in a script that nobody asked for (wrong_script), or with some of it (foreign_script)."""
    if answer.text.isascii() and answer.told.isascii():
        return None
    text = nfc(answer.prose)
    letters = _letters(text)
    if not letters:
        return None
    own = _main(letters)
    used = _letters(nfc(answer.told))
    if _is_elsewhere(own, letters, used, settings) and not _is_named(own, answer):
        return "wrong_script", f"{letters[own]} letters of {own} in an answer to {_main(used)}"
    found = _foreign(TERMS.sub(" ", text), own, used)
    script, count = next(iter(found.most_common(1)), ("", 0))
    if count <= settings.max_foreign or _is_named(script, answer):
        return None
    return "foreign_script", f"{count} letters of {script} in {own}, at most {settings.max_foreign}"


def _letters(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    if text.isascii():
        return Counter({"latin": sum(map(str.isalpha, text))} if text else {})
    count = Counter[str]()
    for run in SCRIPT_RUN.finditer(text):
        count[run.lastgroup or ""] += run.end() - run.start()
    return count


def _main(letters: Counter[str]) -> str:
    """The script of a text: what most of its letters belong to; Japanese is kana, even where most of it is Han."""
    if letters["kana"] and letters["kana"] >= JAPANESE * (letters["han"] + letters["kana"]):
        letters = letters + Counter(kana=letters["han"])
        del letters["han"]
    weights = {script: count * (2 if script in ("han", "kana") else 1) for script, count in letters.items()}
    return max(weights, key=lambda script: (weights[script], script), default="")


def _is_elsewhere(own: str, letters: Counter[str], used: Counter[str], settings: Scripts) -> bool:
    """Whether an answer is written in a script that the question has nothing of, both long enough to tell."""
    asked_in = _main(used)
    if own in ("", "latin", asked_in) or used[own] or (own == "han" and asked_in in ("kana", "hangul") and used["han"]):
        return False
    double = 2 if own in ("han", "kana") else 1
    return (
        letters[own] * double >= settings.min_letters
        and used[asked_in] * (2 if asked_in in ("han", "kana") else 1) >= settings.min_letters
    )


def _foreign(text: str, own: str, used: Counter[str]) -> Counter[str]:
    """How many letters of scripts stand in a text that are neither its own nor were used before."""
    allowed = {own, "latin", *TOGETHER.get(own, ()), *used}
    count = Counter[str]()
    for run in SCRIPT_RUN.finditer(text):
        script, length = run.lastgroup or "", run.end() - run.start()
        if script not in allowed and not (script == "greek" and length < GREEK_LETTERS):
            count[script] += length
    return count


def _is_named(script: str, answer: CheckedAnswer) -> bool:
    """Whether question or answer are about languages, or name one of this script."""
    told, said = nfc(answer.told), nfc(answer.text)
    return any(NAMED[script].search(text) for text in (told, said)) or OF_LANGUAGES.search(told) is not None
