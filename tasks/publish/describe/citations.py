"""The papers behind the techniques, in BibTeX: a dataset's card cites those that its rows come of."""

from __future__ import annotations

from collections.abc import Iterable

PAPERS = {
    "self_instruct": (
        "wang2023selfinstruct",
        "Self-Instruct: Aligning Language Models with Self-Generated Instructions",
        "Wang, Yizhong and Kordi, Yeganeh and Mishra, Swaroop and Liu, Alisa and Smith, Noah A. and Khashabi, Daniel and Hajishirzi, Hannaneh",
        "2023",
        "2212.10560",
    ),
    "evol_instruct": (
        "xu2024wizardlm",
        "WizardLM: Empowering Large Language Models to Follow Complex Instructions",
        "Xu, Can and Sun, Qingfeng and Zheng, Kai and Geng, Xiubo and Zhao, Pu and Feng, Jiazhan and Tao, Chongyang and Jiang, Daxin",
        "2024",
        "2304.12244",
    ),
    "evol_quality": (
        "liu2024deita",
        "What Makes Good Data for Alignment? A Comprehensive Study of Automatic Data Selection in Instruction Tuning",
        "Liu, Wei and Zeng, Weihao and He, Keqing and Jiang, Yong and He, Junxian",
        "2024",
        "2312.15685",
    ),
    "magpie": (
        "xu2024magpie",
        "Magpie: Alignment Data Synthesis from Scratch by Prompting Aligned LLMs with Nothing",
        "Xu, Zhangchen and Jiang, Fengqing and Niu, Luyao and Deng, Yuntian and Poovendran, Radha and Choi, Yejin and Lin, Bill Yuchen",
        "2024",
        "2406.08464",
    ),
    "ultrafeedback": (
        "cui2024ultrafeedback",
        "UltraFeedback: Boosting Language Models with Scaled AI Feedback",
        "Cui, Ganqu and Yuan, Lifan and Ding, Ning and Yao, Guanming and He, Bingxiang and Zhu, Wei and Ni, Yuan and Xie, Guotong and Xie, Ruobing and Lin, Yankai and Liu, Zhiyuan and Sun, Maosong",
        "2024",
        "2310.01377",
    ),
    "constraints": (
        "zhou2023ifeval",
        "Instruction-Following Evaluation for Large Language Models",
        "Zhou, Jeffrey and Lu, Tianjian and Mishra, Swaroop and Brahma, Siddhartha and Basu, Sujoy and Luan, Yi and Zhou, Denny and Hou, Le",
        "2023",
        "2311.07911",
    ),
    "verified_scores": (
        "lambert2024tulu3",
        "Tulu 3: Pushing Frontiers in Open Language Model Post-Training",
        "Lambert, Nathan and Morrison, Jacob and Pyatkin, Valentina and Huang, Shengyi and Ivison, Hamish and Brahman, Faeze and Miranda, Lester James V. and Liu, Alisa and Dziri, Nouha and Lyu, Xinxi and Gu, Yuling and Malik, Saumya and Graf, Victoria and Hwang, Jena D. and Yang, Jiangjiang and Le Bras, Ronan and Tafjord, Oyvind and Wilhelm, Chris and Soldaini, Luca and Smith, Noah A. and Wang, Yizhong and Dasigi, Pradeep and Hajishirzi, Hannaneh",
        "2024",
        "2411.15124",
    ),
}
"""By technique: key, title, authors, year, arXiv."""
SAME = {
    "bootstrap": "self_instruct",
    "self_instruct_instances": "self_instruct",
    "model_pool": "ultrafeedback",
    "critique": "ultrafeedback",
}


def cited(techniques: Iterable[str]) -> str:
    """The papers of these techniques in BibTeX, "" for none."""
    known = dict.fromkeys(name for one in techniques if (name := SAME.get(one, one)) in PAPERS)
    return "\n\n".join(_entry(*PAPERS[name]) for name in known)


def _entry(key: str, title: str, authors: str, year: str, arxiv: str) -> str:
    return (
        f"@article{{{key},\n  title = {{{title}}},\n  author = {{{authors}}},\n  year = {{{year}}},\n"
        f"  eprint = {{{arxiv}}},\n  archivePrefix = {{arXiv}}\n}}"
    )
