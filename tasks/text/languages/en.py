"""English."""

from __future__ import annotations

from tasks.text.languages.language import Language

EN = Language(
    code="en",
    name="English",
    sentence_ends=".!?",
    quotes=(('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’")),
    item_names=r"query|question|request|instruction|prompt|task",
    yes="yes",
    no="no",
    leaks=(
        "given prompt",
        "rewritten prompt",
        "created prompt",
        "new prompt",
        "original prompt",
        "#rewritten",
        "#given",
        "given instruction",
        "rewritten instruction",
        "original instruction",
        "the new instruction",
        "constraint or requirement",
        "steps of reasoning",
        "multi-step reasoning",
        "multiple-step reasoning",
        "at most 20 words",
        "keep its tables",
        "similar length and difficulty",
        "<instruction>",
        "</instruction>",
    ),
    other_language=r"\btranslat(?:e|es|ed|ing|ions?|ors?)\b|\bbilingual\b|\bforeign language"
    r"|\b(?:english|french|german|spanish|italian|portuguese|russian|ukrainian|polish|dutch|swedish|danish|norwegian|finnish"
    r"|czech|hungarian|romanian|greek|turkish|arabic|hebrew|persian|hindi|urdu|bengali|tamil|thai|indonesian|malay|tagalog"
    r"|chinese|mandarin|cantonese|japanese|korean|vietnamese|latin|esperanto)\b",
    as_an_ai=r"\bas an? (?:ai|artificial intelligence|language model)\b",
    apology=r"(?:i['’]?m|i am) (?:\w+ )?(?:sorry|unable|not able)|sorry\b|apologies\b|my apologies|i apologi[sz]e"
    r"|unfortunately,? i\b|i (?:can['’]?t|cannot|can not|won['’]?t) (?:help with|assist|rewrite|create|fulfil)",
    refusal=r"(?:(?:(?:i['’]?m|i am) (?:\w+ )?(?:sorry|afraid)|sorry|(?:my )?apologies|i (?:\w+ )?apologi[sz]e|unfortunately)\b[^.!?\n]{0,60}?[,.;:\s]\s*)?"
    r"\bi(?:['’]m| am)? (?:can['’]?t|cannot|can not|won['’]?t|will not|not able to|unable to|must (?:\w+ )?decline to)"
    r" (?:\w+ )?(?:help (?:you )?(?:with (?:that|this|your request)|you do)|assist (?:you )?(?:with|in) (?:that|this|your|such|any)"
    r"|fulfil+ (?:that|this|your|such)|comply with (?:that|this|your|such)|(?:provide|offer|give) (?:\w+ ){0,3}(?:information|assistance|guidance|advice|instructions|details|help) (?:on|about|for|regarding|that|with|in|to)"
    r"|answer (?:that|this)|respond to (?:that|this)|engage (?:in|with) (?:that|this|such|any)|discuss (?:that|this|such)|process (?:that|this|your) request|continue with (?:that|this))",
    inability=r"(?:(?:i['’]?m|i am) (?:\w+ )?(?:sorry|afraid)|sorry|(?:my )?apologies|i (?:\w+ )?apologi[sz]e|unfortunately)\b[^.!?\n]{0,80}?[,.;:\s]\s*"
    r"(?:\w+ ){0,2}?\bi(?:['’]m| am)? (?:can['’]?t|cannot|can not|won['’]?t|not able to|unable to|(?:don['’]?t|do not) have (?:\w+ ){0,2}(?:access|ability|capability|capacity|information))"
    r"|i(?:['’]m| am)? (?:can['’]?t|cannot|can not|not able to|unable to) (?:\w+ )?(?:help|assist|browse|access|view|see|open|watch|listen|display|generate|create|draw|produce)\b"
    r"|i (?:don['’]?t|do not) have (?:\w+ ){0,2}(?:access to|the (?:ability|capability|capacity) to)",
    of_an_ai=r"\b(?:ai|a\.i\.|artificial intelligence|language models?|chat ?bots?|chatgpt|gpt-?\d|robots?|virtual assistants?)\b|\b(?:who|what) (?:are|made|created|built|trained) you\b|\byour (?:name|creators?|developers?)\b|\bintroduce yourself\b",
    words_of_another=r"\b(?:e-?mails?|letters?|messages?|texts? (?:to|from)|repl(?:y|ies)|notes? (?:to|from)|respon(?:d|se|ding) to|apolog|declin|refus|reject|dialogues?|conversations?|scripts?|scenes?|role|pretend|characters?|story|stories|poems?|songs?|lyrics|translat|rewrite|rephrase|paraphras|sentences?|quote|sorry|unfortunately|speech|monologue)",
    says_again=r"\b(?:repeat|repetition|repetitive|again and again|over and over|\w+ times|times in a row|copy|copies|verbatim|word for word|echo|as (?:it )?is|unchanged|chorus|refrain|chant|loop|infinite|endless|forever)",
    says_several=r"\b(?:responses?|answers?|replies|versions?|options?|alternatives?|variations?|drafts?)\b",
    never_last=r"the|an|and|or|but|because|your|their|our|every|although|unless|whereas|than|whose|nor|if|a",
    salutation=r"dear\b|hi\b|hello\b|hey\b|subject:|to whom|greetings\b|good (?:morning|afternoon|evening)",
    user_label=r"user|human",
    assistant_label=r"(?:ai )?assistant|chatbot",
    to_the_model=r"(?:ai|dear|hey|hi|hello)?\s*(?:ai )?(?:assistant|chatbot|chatgpt|gpt-?\d)\s*[,:]",
    for_a_prompt=r"\b(?:create|write|provide|generate|give|make|need|craft|suggest|design)\b[^.?!]{0,20}\bprompts?\b"
    r"(?! (?:response|reply|answer|action|attention|service|and)\b)",
    stop_words="""a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing don down during each few for from further had has have having he her
    here hers herself him himself his how i if in into is it its itself just ll m may me might more most must my
    myself no nor not now of off on once only or other our ours ourselves out over own re s same shall she should
    so some such t than that the their theirs them themselves then there these they this those through to too
    under until up us ve very was we were what when where which while who whom why will with would you your yours
    yourself yourselves""",
    # the reference code's list, with the plurals it has
    blacklist=(
        "image",
        "images",
        "graph",
        "graphs",
        "picture",
        "pictures",
        "file",
        "files",
        "map",
        "maps",
        "draw",
        "plot",
        "go to",
        "video",
        "audio",
        "music",
        "flowchart",
        "diagram",
    ),
    a_program=("Write a program",),
    input="input",
    output="output",
    label="label",
    example="task|example",
    unseen_text=r"\baccording to the (?:text|passage|paragraph|excerpt)\b"
    r"|\b(?:given|original|above|provided) (?:text|passage|paragraph|excerpt)\b|\bthis (?:passage|excerpt)\b"
    r"|\b(?:topic|idea|point|purpose|theme|message) of (?:the|this) (?:text|passage|paragraph|excerpt)\b",
    may_i_help=r"\bhow (?:can|may|could) i (?:help|assist|be of (?:help|service|assistance))(?: to)?(?: you\b| today|\?)"
    r"|\bwhat can i (?:help you with|do for you)\b|\bi(?:['’]m| am) here to (?:help|assist)(?: you\b|[.!])",
    final_answer=r"\b(?:final |correct |right |best )?answers?(?: to (?:the|this) (?:question|problem))?(?:\s*(?:is|are|would be|must be|[:=]))+"
    r"|\b(?:correct|right|best) (?:option|choice)(?:\s*(?:is|[:=]))+",
    choice=r"(?:the )?(?:correct |right )?(?:option|choice|answer)",
    because=r",?\s(?:because|since|as|so that|which)\s",
    rating=r"(?:(?:overall|final|my|the)\s+){0,2}(?:rating|score)\b",
    reason="reason|rationale|explanation|feedback|critique|justification",
    errors="errors",
    merits="merits",
    none="none",
    not_applicable=r"n\s*/\s*a|n\.a\.?|na|not applicable",
    variant=r"instruction|prompt|question|query|variant|task",
    criterion=r"criterion|criteria|aspect",
    met_label=r"met|verdict|fulfilled|satisfied",
    rubric_kinds=(
        "essential|must(?:[- ]have)?",
        "important|should",
        "optional|nice[- ]to[- ]have",
        "pitfall|mistake|error",
    ),
    intent_label=r"(?:user['’]?s? )?intent",
    knowledge_label=r"(?:required |needed )?knowledge",
    difficulty_label=r"(?:overall |level of )?difficulty(?: level)?",
    quality_label=r"(?:input |overall )?quality(?: of the input)?|input_quality",
    category_label=r"(?:primary |main |task )?(?:category|tag)|primary_tag|task_category",
    others_label=r"other (?:categories|tags)|other_tags|other_categories",
    difficulties=("very easy", "easy", "medium|moderate", "hard|difficult", "very (?:hard|difficult)"),
    qualities=("very poor", "poor", "average|fair", "good", "excellent"),
    categories=(
        r"information[ _-]?seeking",
        "reasoning",
        "planning",
        "editing",
        r"coding(?: (?:&|and) debugging)?|programming",
        "math(?:s|ematics)?",
        r"data[ _-]?analysis",
        r"role[ _-]?play(?:ing)?",
        r"creative[ _-]?writing",
        r"advice[ _-]?seeking",
        "brainstorming",
        "others?",
    ),
    another_grade="to|or|and",
    rating_names=("rating", "score", "overall_rating", "overall rating", "grade"),
    reason_names=("reason", "rationale", "explanation", "feedback", "justification"),
    error_names=("errors", "error", "types", "type"),
    merit_names=("merits", "merit"),
    index_names=("response", "index", "id", "number", "response_id", "text", "no", "#"),
    evidence=r"evidence|quotes?|quotations?|source",
    not_stated=r"\b(?:does|do|did|is|are|was|were)(?: not|n['’]t)\b[^.\n]{0,40}?\b(?:sa(?:y|id)|stat(?:e|ed)|mention(?:ed)?|giv(?:e|en)|tell|told|specif(?:y|ied)|contain(?:ed)?|includ(?:e|ed)"
    r"|provid(?:e|ed)|nam(?:e|ed)|indicat(?:e|ed)|explain(?:ed)?|describ(?:e|ed)|cover(?:ed)?|report(?:ed)?|record(?:ed)?|address(?:ed)?|discuss(?:ed)?|known|disclos(?:e|ed)|list(?:ed)?|answer(?:ed)?)\b"
    r"|\bno (?:\w+ ){0,2}(?:information|mention|details?|figures?|reasons?|explanation|data|indication|answer)\b|\bnothing is (?:said|stated|given|told|known)\b|\bnot (?:stated|mentioned|given|specified|provided|said|told|known|explained|named|indicated)\b"
    r"|\b(?:can ?not|can['’]t|could not) be (?:answered|told|determined|known|found|said)\b|\bunspecified\b|\bleft open\b",
    number_words=(
        ("zero", 0),
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("thirteen", 13),
        ("fourteen", 14),
        ("fifteen", 15),
        ("sixteen", 16),
        ("seventeen", 17),
        ("eighteen", 18),
        ("nineteen", 19),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("seventy", 70),
        ("eighty", 80),
        ("ninety", 90),
    ),
    multipliers=(("hundred", 100),),
    scales=(("thousand", 1000), ("million", 10**6), ("billion", 10**9), ("trillion", 10**12)),
    months=(
        r"jan(?:uary)?",
        r"feb(?:ruary)?",
        r"mar(?:ch)?",
        r"apr(?:il)?",
        "may",
        r"june?",
        r"july?",
        r"aug(?:ust)?",
        r"sept?(?:ember)?",
        r"oct(?:ober)?",
        r"nov(?:ember)?",
        r"dec(?:ember)?",
    ),
    weekdays=("mondays?", "tuesdays?", "wednesdays?", "thursdays?", "fridays?", "saturdays?", "sundays?"),
)
