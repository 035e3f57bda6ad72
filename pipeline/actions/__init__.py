"""What playbooks can call: actions, found by name in ``registry``."""
