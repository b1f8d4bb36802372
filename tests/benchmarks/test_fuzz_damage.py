import json

import numpy as np
from fuzz_damage import damaged, damaged_json


def test_the_same_seed_damages_alike() -> None:
    content = bytes(range(256)) * 8
    ways = set()
    for seed in range(60):
        how, made = damaged(content, np.random.default_rng(seed))
        assert damaged(content, np.random.default_rng(seed)) == (how, made)
        ways.add(how)
    assert len(ways) == 7
    document = json.dumps({"shape": [3, 4], "codecs": [{"name": "bytes"}]}).encode()
    made = damaged_json(document, np.random.default_rng(0))
    assert json.loads(made) != json.loads(document)
