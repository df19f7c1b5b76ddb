"""What the reference is asked: texts of many kinds, so that parity is not parity on English prose alone.

`SHORT` gives every position of its first 50 or more tokens; `LONG` gives only the last ones, so that the rotary
embedding and the KV cache are also seen far from position 0. All texts were written for this file.
"""

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def chat(*turns, system=SYSTEM):
    """Turns as the model's chat template writes them, ending after the last one."""
    parts = [f"<|im_start|>system\n{system}<|im_end|>\n"]
    parts += [f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns]
    return "".join(parts)


SHORT = {
    "prose-harbour": (
        "The harbour was quiet in the hour before dawn. Two boats lay against the wall, their ropes creaking as the tide "
        "turned, and a single lamp burned in the window of the pilot's house. When the bell rang, a woman came out with a "
        "basket on her arm, looked at the sky, and said that it would rain before noon. Nobody answered her, but the oldest "
        "of the fishermen pulled his collar up and began to untie the rope."
    ),
    "prose-science": (
        "Seismic waves travel faster through dense rock than through loose sediment. When they reach the boundary between "
        "the crust and the mantle, part of their energy is reflected and part is refracted. By measuring the arrival times "
        "at many stations, scientists can calculate how deep the boundary lies. Under the oceans it is about seven "
        "kilometres below the sea floor; under mountain ranges it may be more than sixty."
    ),
    "prose-law": (
        "This agreement begins on the date on which both parties have signed it and continues for twelve months, unless it "
        "is ended earlier in accordance with section nine. Either party may end it by giving thirty days' notice in "
        "writing. The supplier shall keep all records confidential and shall not disclose them to any third party without "
        "the prior written consent of the customer, except where the law requires it."
    ),
    "prose-recipe": (
        "To make the soup, peel the potatoes and cut them into small pieces. Heat the oil in a large pot over medium heat, "
        "add the onion and the garlic, and cook for about five minutes, stirring often. Add the potatoes, the stock and a "
        "pinch of salt, bring to the boil, then lower the heat and simmer for twenty minutes. Serve with bread and a little "
        "fresh parsley."
    ),
    "dialogue": (
        "\"Did you bring the letter?\" asked Anna.\n\"I did,\" said Tom, \"but I haven't read it. It isn't mine.\"\n\"Then whose "
        "is it?\"\n\"That's what I can't tell you. He said we'll know when we've opened the box, and that they'd be here by "
        "six o'clock.\"\nShe looked at the clock. It was already half past five, and the street was still empty."
    ),
    "history": (
        "In 1869 the first railway to cross the continent was finished, and a journey that had taken six months now took "
        "six days. Towns grew along the line; others, only a few miles away, were abandoned. Historians still disagree about "
        "how much of the growth of the following decades was caused by the railway and how much would have happened anyway."
    ),
    "german": (
        "Der Zug fährt um halb acht vom Hauptbahnhof ab und kommt kurz nach Mitternacht in Wien an. Wer einen Platz am "
        "Fenster möchte, sollte früh genug buchen, denn die Wagen sind im Sommer meistens voll. In der Nacht ist es ruhig, "
        "und man hört nur die Räder auf den Schienen."
    ),
    "french": (
        "Le marché ouvre à sept heures du matin, mais les premiers clients arrivent déjà à six heures et demie. On y trouve "
        "des légumes, du fromage, du poisson frais et parfois de vieux livres. L'été, les touristes s'arrêtent pour boire un "
        "café et regarder les gens qui passent."
    ),
    "spanish": (
        "La biblioteca está en el centro de la ciudad, al lado del río. Todos los días, después de la escuela, los niños "
        "vienen a leer y a hacer sus tareas. La señora Ibáñez conoce el nombre de cada uno y siempre sabe qué libro "
        "recomendar. ¿Qué haríamos sin ella?"
    ),
    "russian": (
        "Зимой река замерзает, и дети катаются на коньках до позднего вечера. Старики говорят, что раньше лёд был толще, "
        "но каждый год они говорят одно и то же."
    ),
    "chinese-japanese": (
        "今天天气很好，我们去公园散步。公园里有很多人，有的在跑步，有的在看书。\n日本の夏はとても暑いですが、花火や祭りがたくさんあります。"
    ),
    "python": (
        "import json\nfrom pathlib import Path\n\n\ndef load(path: Path) -> dict[str, int]:\n    \"\"\"Reads the counts from a file.\"\"\"\n"
        "    with path.open(encoding=\"utf-8\") as file:\n        data = json.load(file)\n    return {name: int(count) for name, count in "
        "data.items() if count}\n\n\nif __name__ == \"__main__\":\n    print(load(Path(\"counts.json\")))\n"
    ),
    "rust": (
        "use std::collections::HashMap;\n\nfn count_words(text: &str) -> HashMap<String, usize> {\n    let mut counts = HashMap::new();\n"
        "    for word in text.split_whitespace() {\n        *counts.entry(word.to_lowercase()).or_insert(0) += 1;\n    }\n    counts\n}\n\n"
        "fn main() {\n    println!(\"{:?}\", count_words(\"a b a\"));\n}\n"
    ),
    "c": (
        "#include <stdio.h>\n\nint main(int argc, char **argv)\n{\n\tfor (int i = 1; i < argc; i++) {\n\t\tif (i > 1)\n\t\t\tputchar(' ');\n"
        "\t\tfputs(argv[i], stdout);\n\t}\n\tputchar('\\n');\n\treturn 0;\n}\n"
    ),
    "sql": (
        "SELECT c.name, COUNT(o.id) AS orders, SUM(o.total) AS revenue\nFROM customers AS c\nLEFT JOIN orders AS o ON o.customer_id = c.id\n"
        "WHERE o.created_at >= '2024-01-01'\nGROUP BY c.name\nHAVING SUM(o.total) > 1000\nORDER BY revenue DESC\nLIMIT 10;\n"
    ),
    "json": (
        "{\n  \"name\": \"sensor-17\",\n  \"enabled\": true,\n  \"interval\": 30,\n  \"tags\": [\"roof\", \"north\", \"temperature\"],\n  \"limits\": {\n"
        "    \"low\": -12.5,\n    \"high\": 48.0\n  },\n  \"owner\": null\n}\n"
    ),
    "html": (
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>Tide tables</title>\n</head>\n<body>\n  <h1>Tide tables</h1>\n"
        "  <p>High water at <b>06:12</b> and <b>18:40</b>.</p>\n</body>\n</html>\n"
    ),
    "digits": (
        "3.14159265358979323846264338327950288419716939937510\n2 + 2 = 4\n12 * 12 = 144\n17 * 23 = 391\n2024-02-29T23:59:59Z\n+44 20 7946 0958\n"
    ),
    "series": "1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181, 6765, 10946, 17711",
    "symbols": (
        "α + β ≥ γ → ∑ xᵢ² ≈ 42 € (±0.5 %) … “quoted” — ‘single’ · naïve café 🙂🚀 ✓ ½ ° № ™ ☂ \t\ttabs   and   spaces\n\n\n\nlines\r\nwindows\r\n"
    ),
    "chat-capital": chat(
        ("user", "What is the capital of France?"),
        ("assistant", "The capital of France is Paris. It lies on the river Seine and is the largest city of the country."),
    ),
    "chat-list": chat(
        ("user", "Name three uses of a brick."),
        (
            "assistant",
            "1. Building walls: bricks are strong and last for a long time.\n2. Paving: they can be laid as a path in a garden.\n"
            "3. Holding a door open on a windy day.",
        ),
    ),
    "chat-turns": chat(
        ("user", "Hi! I'm planning a trip to Norway in June."),
        ("assistant", "That sounds wonderful! June is a great time to visit Norway, as the days are long and the weather is mild."),
        ("user", "What should I pack?"),
    ),
    "chat-code": chat(
        ("user", "Write a Python function that returns the larger of two numbers."),
        ("assistant", "```python\ndef larger(a, b):\n    if a > b:\n        return a\n    return b\n```\nCall it as `larger(2, 3)`."),
        system="You write short programs and explain them in one sentence.",
    ),
    "chat-json": chat(
        ("user", "Reply only with a JSON object that has the keys city and country: Where is the Eiffel Tower?"),
        ("assistant", "{\"city\": \"Paris\", \"country\": \"France\"}"),
        system="You are a careful assistant. You answer with JSON and with nothing else.",
    ),
}

_ROOMS = ["library", "kitchen", "cellar", "tower", "garden", "stable", "chapel", "mill", "barn", "school", "inn", "forge"]
_THINGS = ["a silver key", "an old map", "a broken clock", "three candles", "a letter", "a blue stone", "a rope", "a lantern",
           "a wooden bird", "a ring", "a bottle of ink", "a drum"]

LONG = {
    "far": " ".join(
        f"On day {day}, the inspector went to the {room} and found {thing} there. She wrote it in her notebook, number "
        f"{day * 37}, locked the door of the {room} again, and walked home through the rain."
        for day, (room, thing) in enumerate(zip(_ROOMS, _THINGS, strict=True), start=1)
    )
    + " In the end she remembered it all: the silver key had been in the library, the old map in the kitchen, and the broken "
    "clock in the cellar; the three candles had been in the tower, the letter in the garden, and the blue stone in the stable."
}
