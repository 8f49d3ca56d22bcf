complete --keep-order --exclusive --command nfsprov --arguments "(NFSPROV_COMPLETE=fish nfsprov -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
