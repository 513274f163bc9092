/* lua5.5 [-e CODE]... [FILE [ARGUMENT...]]: what the tests need of Lua's own command.
 *
 * An error goes to the standard error output with its traceback and makes the exit status 1; Ctrl-C raises
 * "interrupted!". */

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "states.h"

/* The state that Ctrl-C interrupts: a signal handler has no arguments of its own. */
static lua_State *interrupted;

static void raise_interrupted(lua_State *L, lua_Debug *where) {
  (void)where;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void on_interrupt(int number) {
  signal(number, SIG_DFL); /* a second one ends the process */
  lua_sethook(interrupted, raise_interrupted, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* Runs the function below its `count` arguments. */
static int run(lua_State *L, int count) {
  int handler = lua_gettop(L) - count, status;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, handler);
  interrupted = L;
  signal(SIGINT, on_interrupt);
  status = lua_pcall(L, count, 0, handler);
  signal(SIGINT, SIG_DFL);
  lua_remove(L, handler);
  return status;
}

static int complain(lua_State *L, int status) {
  if (status != LUA_OK) {
    fprintf(stderr, "lua5.5: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return status;
}

/* The table `arg`: the program at 0, its arguments from 1, what came before it below. */
static void set_arg(lua_State *L, int count, char **words, int program) {
  int index;
  lua_createtable(L, count - program - 1, program + 1);
  for (index = 0; index < count; index++) {
    lua_pushstring(L, words[index]);
    lua_rawseti(L, -2, index - program);
  }
  lua_setglobal(L, "arg");
}

/* The protected part. Its arguments are the count and the address of the command's words; it returns true if all went
 * well. */
static int command(lua_State *L) {
  int count = (int)lua_tointeger(L, 1), program = 1, index;
  char **words = lua_touserdata(L, 2);

  luaL_openlibs(L);
  luaL_requiref(L, "states", luaopen_states, 0);
  lua_settop(L, 0);

  while (program + 1 < count && strcmp(words[program], "-e") == 0)
    program += 2;
  set_arg(L, count, words, program < count ? program : 0);

  for (index = 2; index < program; index += 2) {
    const char *code = words[index];
    int status = luaL_loadbuffer(L, code, strlen(code), "=(command line)");
    if (complain(L, status == LUA_OK ? run(L, 0) : status) != LUA_OK)
      return 0;
  }
  if (program < count) {
    int status = luaL_loadfile(L, words[program]);
    if (status == LUA_OK) {
      luaL_checkstack(L, count, "too many arguments");
      for (index = program + 1; index < count; index++)
        lua_pushstring(L, words[index]);
      status = run(L, count - program - 1);
    }
    if (complain(L, status) != LUA_OK)
      return 0;
  }
  lua_pushboolean(L, 1);
  return 1;
}

int run_command(int count, char **words) {
  int status, good;
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("lua5.5: no memory\n", stderr);
    return 1;
  }
  lua_pushcfunction(L, command);
  lua_pushinteger(L, count);
  lua_pushlightuserdata(L, words);
  status = complain(L, lua_pcall(L, 2, 1, 0));
  good = status == LUA_OK && lua_toboolean(L, -1);
  lua_close(L);
  return good ? 0 : 1;
}
