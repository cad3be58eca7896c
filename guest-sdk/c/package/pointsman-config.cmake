# find_package(pointsman): pointsman::module for a router's sources, pointsman::testing for its tests.

get_filename_component(POINTSMAN_SDK "${CMAKE_CURRENT_LIST_DIR}/../../../share/pointsman/c" ABSOLUTE)

if(NOT TARGET pointsman::module)
  add_library(pointsman::module INTERFACE IMPORTED)
  target_include_directories(pointsman::module INTERFACE "${POINTSMAN_SDK}")
  target_sources(pointsman::module INTERFACE "${POINTSMAN_SDK}/module.c")
  add_library(pointsman::testing INTERFACE IMPORTED)
  target_link_libraries(pointsman::testing INTERFACE pointsman::module)
  target_sources(pointsman::testing INTERFACE "${POINTSMAN_SDK}/testing.c")
endif()
