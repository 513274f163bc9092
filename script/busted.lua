-- Runs busted under the interpreter that runs this file. `busted --lua=<interpreter>` goes through a shell, which
-- does not quote its arguments and hides what signal ended the tests.
require "busted.runner" ({ standalone = false })
