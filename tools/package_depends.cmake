# Read by cpack before it packs: the libraries that libdunlin0 depends on, as dpkg-shlibdeps finds them.
set(folder ${CPACK_TEMPORARY_DIRECTORY})
if(NOT folder)
  set(folder ${CPACK_PACKAGE_DIRECTORY}/_CPack_Packages)
endif()
file(WRITE ${folder}/depends/debian/control "")
execute_process(COMMAND dpkg-shlibdeps --ignore-missing-info -O ${CPACK_DUN_LIBRARY}
                WORKING_DIRECTORY ${folder}/depends OUTPUT_VARIABLE libraries RESULT_VARIABLE failed ERROR_VARIABLE why
                OUTPUT_STRIP_TRAILING_WHITESPACE)
if(failed OR NOT libraries MATCHES "^shlibs:Depends=(.+)$")
  message(FATAL_ERROR "dpkg-shlibdeps of ${CPACK_DUN_LIBRARY}: ${libraries}${why}")
endif()
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "${CMAKE_MATCH_1}, ${CPACK_DUN_LIBRARY_DEPENDS}")
