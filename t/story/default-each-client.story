# What holds without a rule, for each kind of client: strangers hear which part is down, and why, but no names.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
at 0s  probe connection-refused hard -> down
at 1s  mail other -> tempfail "451 4.4.1 content filter is temporarily unavailable: connection refused"
at 1s  mail mynetworks -> tempfail "451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 00:00:00Z: connection refused"
at 1s  mail authenticated -> tempfail "451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 00:00:00Z: connection refused"
at 1s  mail local -> tag
at 1s  mail reentry -> accept
at 1s  rule-for other -> none
