"""Random edits of an owner, a random command, and what has to hold afterwards: no line of the owner's is lost.

* `plan`: from a seed to what is edited and which command follows;
* `edits`, `toml_edits`: the deeds;
* `rounds`: one scenario played in a real repository, and made smaller where it fails;
* `checks`: what has to hold of what was `seen`;
* `oracle`: which conflicts there may be, worked out without git and without the engine;
* `boot`: whether the service still starts and its tests pass.
"""
