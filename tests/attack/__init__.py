"""An attack on every public function, method and verb: a good call with one odd thing about it ends right or in one sentence.

`python -m tests.attack` runs all of it and prints a table, `--part 2/8` a part of it; `test_attack.py` runs a small share.
"""
