"""One rule a module; `pinfold.policy.rule.known_rules` discovers them."""
