"""Programs that show Seawall at work; run them from the root of the tree."""
