"""Units that answers are given in, by their names in English, Vietnamese, Chinese and Japanese, each with its size.

A word that is not here (apples, 個, quả) says nothing about the number beside it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Measure(NamedTuple):
    """What is measured, and how many of its base unit one of these is."""

    of: str
    size: Fraction


_NAMES: dict[tuple[str, str], str] = {
    ("length", "1"): "m|metre|metres|meter|meters|mét|米|メートル",
    (
        "length",
        "1000",
    ): "km|kilometre|kilometres|kilometer|kilometers|ki lô mét|ki-lô-mét|cây số|千米|公里|キロメートル",
    (
        "length",
        "1/100",
    ): "cm|centimetre|centimetres|centimeter|centimeters|xăng ti mét|xăng-ti-mét|厘米|公分|センチメートル|センチ",
    ("length", "1/1000"): "mm|millimetre|millimetres|millimeter|millimeters|mi li mét|mi-li-mét|毫米|ミリメートル|ミリ",
    ("length", "0.0254"): "inch|inches",
    ("length", "0.3048"): "ft|foot|feet",
    ("length", "0.9144"): "yd|yard|yards",
    ("length", "1609.344"): "mi|mile|miles|dặm|英里|マイル",
    ("mass", "1"): "g|gram|grams|gam|克|グラム",
    ("mass", "1000"): "kg|kilogram|kilograms|kilo|kilos|ki lô gam|ki-lô-gam|千克|公斤|キログラム|キロ",
    ("mass", "500"): "斤",
    ("mass", "1/1000"): "mg|milligram|milligrams|毫克|ミリグラム",
    ("mass", "1000000"): "t|tonne|tonnes|tấn|吨|噸|トン",
    ("mass", "453.59237"): "lb|lbs|pound|pounds",
    ("time", "1"): "s|sec|secs|second|seconds|giây|秒|秒钟|秒間",
    ("time", "60"): "min|mins|minute|minutes|phút|分|分钟|分鐘|分間",
    ("time", "3600"): "h|hr|hrs|hour|hours|giờ|tiếng|小时|小時|时|時間",
    ("time", "86400"): "d|day|days|ngày|天|日|日間",
    ("time", "604800"): "week|weeks|tuần|周|星期|週間",
    ("volume", "1"): "l|L|litre|litres|liter|liters|lít|升|リットル",
    ("volume", "1/1000"): "ml|mL|millilitre|millilitres|milliliter|milliliters|mi li lít|mi-li-lít|毫升|ミリリットル",
    ("area", "1"): "m^2|m2|mét vuông|平方米|平方メートル",
    ("area", "1/10000"): "cm^2|cm2|xăng ti mét vuông|平方厘米|平方センチメートル",
    ("area", "1000000"): "km^2|km2|平方公里|平方千米|平方キロメートル",
    ("space", "1"): "m^3|m3|mét khối|立方米|立方メートル",
    ("space", "1/1000000"): "cm^3|cm3|xăng ti mét khối|立方厘米|立方センチメートル",
    ("speed", "1"): "km/h|kmh|kph",
    ("speed", "3.6"): "m/s",
    ("speed", "1.609344"): "mph",
    ("angle", "1"): "°|degree|degrees|độ|度",
    ("dollars", "1"): "$|usd|dollar|dollars|đô la|đô-la|đô|美元|ドル",
    ("dollars", "1/100"): "cent|cents|¢|xu|美分|セント",
    ("euros", "1"): "€|eur|euro|euros|欧元|ユーロ",
    ("pounds", "1"): "£|gbp",
    ("dong", "1"): "đồng|đ|vnd|vnđ",
    ("dong", "1000"): "nghìn đồng|ngàn đồng",
    ("dong", "1000000"): "triệu đồng",
    ("yuan", "1"): "元|块|人民币|cny|rmb|yuan",
    ("yuan", "1/10"): "角|毛",
    ("yen", "1"): "円|yen|jpy",
}
UNITS: dict[str, Measure] = {
    name: Measure(of, Fraction(size)) for (of, size), names in _NAMES.items() for name in names.split("|")
}
CURRENCIES = "$€£¥￥"
"""Signs that stand before a number."""
LONGEST_FIRST = sorted(UNITS, key=len, reverse=True)
"""The names of units, each before those that it begins with."""
