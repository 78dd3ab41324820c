"""What Pinfold does: each module is one job, expressed over ports."""
