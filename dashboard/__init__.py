"""The dashboard: small pages over one store, read through `bench.leaderboard`."""
