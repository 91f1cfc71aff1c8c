# "other" is who is none of the rest.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "world" { client = {"other"} action = "hold" }
at 0s  probe connection-refused hard -> down
at 1s  rule-for other -> world
at 1s  rule-for mynetworks -> none
at 1s  rule-for authenticated -> none
at 1s  rule-for local -> none
at 1s  rule-for reentry -> none
