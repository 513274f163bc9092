#ifndef STATES_H
#define STATES_H

#include <lua.h>

/* Opens the module `states`, by which a program has more Lua states. */
int luaopen_states(lua_State *L);

/* A message handler that turns the error into a string with a traceback. */
int add_traceback(lua_State *L);

#endif
