# Mail of sendmail(1) is never refused, whatever a rule says.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "all" { action = "tempfail" }
rule "local too" { client = {"local", "other"} action = "tempfail" }
at 0s  probe connection-refused hard -> down
at 1s  mail local -> tag
at 1s  rule-for local -> all
at 1s  all-or-nothing local -> no
