# "after": a restart of the filter is not worth a refusal.  Before, mail is accepted and tagged.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "patient" { after = 30s }
at 0s   probe ok -> up
at 10s  probe connection-refused hard -> down
at 10s  mail other -> tag
at 39s  mail other -> tag
at 39s  mail local -> tag
at 40s  mail other -> tempfail "451 4.4.1 content filter is temporarily unavailable: connection refused"
at 41s  probe ok -> up
at 41s  mail other -> accept
at 50s  probe connection-refused hard -> down
at 51s  mail other -> tag
