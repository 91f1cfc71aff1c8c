# A filter that is only slow does not hide a relay that is down.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
at 0s  probe content-filter slow -> degraded
at 0s  probe relayhost ok -> up
at 1s  mail other -> tag
at 2s  probe relayhost auth-rejected hard -> down
at 3s  mail other -> tempfail "451 4.7.8 relayhost is temporarily unavailable: authentication rejected"
