--- The table of `cosock.ltn12` with nothing in it but what programs may set, so that its parts can look there.

return {
  _VERSION = "LTN12 1.0.3",
  --- How long the chunks of sources are, in bytes.
  BLOCKSIZE = 2048,
}
