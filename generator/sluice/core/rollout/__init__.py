"""How far a new version has come: the state machine, its judgement, and their replay."""
