# Amavis is stopped and started again: a refused connection on this host needs no second opinion, and one
# answer is proof enough that it is back.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
at 0s   mail other -> accept
at 0s   probe ok -> up
at 9s   mail other -> accept
at 10s  probe connection-refused hard -> down
at 10s  mail other -> tempfail "451 4.4.1 content filter is temporarily unavailable: connection refused"
at 11s  mail authenticated -> tempfail "451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 00:00:10Z: connection refused"
at 11s  mail mynetworks -> tempfail "451 4.4.1 content filter smtp-amavis:[127.0.0.1]:10024 is down since 00:00:10Z: connection refused"
at 12s  mail local -> tag
at 12s  mail reentry -> accept
at 15s  probe ok -> up
at 15s  mail other -> accept
